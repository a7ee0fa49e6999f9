// A node.exe that is a version of the agent in a test: `conduct.txt` beside it has its number, and in words what it does when it is asked to
// prove itself. test/windows/versions.wine.ts.
#include <windows.h>
#include <stdio.h>
#include <string.h>

static WCHAR folder[MAX_PATH];

static FILE *open_at(const WCHAR *name, const WCHAR *mode) {
  WCHAR path[MAX_PATH * 2];
  swprintf(path, MAX_PATH * 2, L"%ls\\%ls", folder, name);
  return _wfopen(path, mode);
}

// What agent/update/versions.ts writes, in one go.
static int prove(const char *version) {
  WCHAR path[MAX_PATH * 2];
  FILE *current = open_at(L"..\\current", L"wb");
  if (current == NULL) return 2;
  fprintf(current, "%s\n", version);
  fclose(current);
  swprintf(path, MAX_PATH * 2, L"%ls\\..\\trial", folder);
  return DeleteFileW(path) ? 0 : 3;
}

static void spin(void) {
  for (;;) Sleep(1);
}

int wmain(int count, WCHAR **words) {
  char version[32] = "", conduct[64] = "";
  BOOL is_asked_for_its_name = FALSE;
  GetModuleFileNameW(NULL, folder, MAX_PATH);
  *wcsrchr(folder, L'\\') = L'\0';
  FILE *told = open_at(L"conduct.txt", L"rb");
  if (told == NULL || fscanf(told, "%31s %63[^\n]", version, conduct) != 2) return 4;
  for (int i = 1; i < count; i++) is_asked_for_its_name |= wcscmp(words[i], L"--version") == 0;
  if (is_asked_for_its_name) {
    if (strcmp(conduct, "does not say its name") == 0) return 139;
    if (strcmp(conduct, "hangs when asked for its name") == 0) spin();
    printf("keybound-agent %s\n", version);
    return 0;
  }
  if (strcmp(conduct, "proves") == 0) return prove(version);
  if (strcmp(conduct, "spins") == 0) spin();
  if (strcmp(conduct, "kills itself") == 0) TerminateProcess(GetCurrentProcess(), 9);
  return 1;
}
