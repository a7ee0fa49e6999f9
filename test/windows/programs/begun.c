// A shell that has begun as the opening of a PowerShell job does, by the file beside the script (its last argument), and hangs.
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

int wmain(int count, WCHAR **words) {
  WCHAR path[MAX_PATH];
  lstrcpynW(path, words[count - 1], MAX_PATH - 8);
  wcscpy(wcsrchr(path, L'\\') + 1, L"begun");
  FILE *file = _wfopen(path, L"a");
  fputs("begun\r\n", file);
  fclose(file);
  Sleep(INFINITE);
  return 0;
}
