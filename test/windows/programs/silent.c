// A shell that never comes to its script and says nothing.
#include <windows.h>

int wmain(void) {
  Sleep(INFINITE);
  return 0;
}
