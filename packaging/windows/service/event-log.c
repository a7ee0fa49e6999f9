// The Event Log: the agent's lines, one entry each, and our own.
#include "service.h"
#include "messages.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
  // An entry takes 31839 characters; a longer line is cut, and what is beyond is no entry of its own.
  MAX_ENTRY_CHARS = 8000,
  MAX_WORDS_CHARS = 1024,
};

void log_event(WORD type, const WCHAR *text) {
  HANDLE log = RegisterEventSourceW(NULL, EVENT_SOURCE);
  if (log == NULL) return;
  ReportEventW(log, type, 0, MESSAGE_LINE, NULL, 1, 0, &text, NULL);
  DeregisterEventSource(log);
}

void log_words(WORD type, const WCHAR *format, ...) {
  WCHAR text[MAX_WORDS_CHARS];
  va_list values;
  va_start(values, format);
  if (vswprintf(text, MAX_WORDS_CHARS, format, values) < 0) text[MAX_WORDS_CHARS - 1] = L'\0';
  va_end(values);
  log_event(type, text);
}

// The agent's lines begin with their level, as pino writes it; all else is what Node says when something is wrong.
static WORD type_of(const char *line) {
  static const char LEVEL[] = "{\"level\":";
  if (strncmp(line, LEVEL, sizeof LEVEL - 1) != 0) return EVENTLOG_ERROR_TYPE;
  int level = atoi(line + sizeof LEVEL - 1);
  return level >= 50 ? EVENTLOG_ERROR_TYPE : level >= 40 ? EVENTLOG_WARNING_TYPE : EVENTLOG_INFORMATION_TYPE;
}

static void log_line(char *line, DWORD length) {
  WCHAR text[MAX_ENTRY_CHARS + 1];
  if (length > 0 && line[length - 1] == '\r') length--;
  if (length == 0) return;
  line[length] = '\0';
  int made = MultiByteToWideChar(CP_UTF8, 0, line, (int)length, text, MAX_ENTRY_CHARS);
  text[made] = L'\0';
  log_event(type_of(line), text);
}

DWORD WINAPI log_lines(void *pipe) {
  char line[MAX_ENTRY_CHARS + 1], bytes[4096];
  DWORD length = 0, got;
  while (ReadFile(pipe, bytes, sizeof bytes, &got, NULL) && got > 0)
    for (DWORD at = 0; at < got; at++) {
      if (bytes[at] == '\n') {
        log_line(line, length);
        length = 0;
      } else if (length < MAX_ENTRY_CHARS) line[length++] = bytes[at];
    }
  log_line(line, length);
  CloseHandle(pipe);
  return 0;
}
