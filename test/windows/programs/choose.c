// The service host's choice of a version, without the service: says what the host would write into the Event Log, and which folder it
// chose. `choose service` or `choose person`, in PROGRAM. test/windows/versions.wine.ts.
#include "service.h"
#include <stdarg.h>
#include <stdio.h>

void log_event(WORD type, const WCHAR *text) {
  (void)type;
  printf("said %ls\n", text);
}

void log_words(WORD type, const WCHAR *format, ...) {
  WCHAR text[1024];
  va_list values;
  va_start(values, format);
  if (vswprintf(text, 1024, format, values) < 0) text[1023] = L'\0';
  va_end(values);
  log_event(type, text);
}

DWORD WINAPI log_lines(void *pipe) {
  char bytes[4096];
  DWORD got;
  while (ReadFile(pipe, bytes, sizeof bytes, &got, NULL) && got > 0)
    ;
  CloseHandle(pipe);
  return 0;
}

int wmain(int count, WCHAR **words) {
  static WCHAR folder[MAX_PATH_CHARS];
  HANDLE stopping = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (count != 2) return 2;
  if (wcscmp(words[1], L"person") == 0) choose_version(folder);
  else if (!choose_to_serve(folder, stopping)) return 3;
  printf("chose %ls\n", folder);
  return 0;
}
