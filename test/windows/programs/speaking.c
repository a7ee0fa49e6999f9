// A shell that says something and then hangs.
#include <stdio.h>
#include <windows.h>

int wmain(void) {
  puts("about to hang");
  fflush(stdout);
  Sleep(INFINITE);
  return 0;
}
