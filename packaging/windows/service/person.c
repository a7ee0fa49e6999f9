// `keybound-service agent WORD...`: the agent for a person at a console, in the version that has proved itself.
#include "service.h"
#include <stdio.h>

// What follows the first two words, as it was typed: our own path, which may be quoted, and `agent`.
static const WCHAR *words_after_ours(const WCHAR *line) {
  BOOL is_quoted = FALSE;
  for (int words = 0; words < 2; words++) {
    for (; *line != L'\0' && (is_quoted || (*line != L' ' && *line != L'\t')); line++)
      if (*line == L'"') is_quoted = !is_quoted;
    while (*line == L' ' || *line == L'\t') line++;
  }
  return line;
}

// The agent hears it too, and ends itself.
static BOOL WINAPI ignore(DWORD code) { return code == CTRL_C_EVENT || code == CTRL_BREAK_EVENT; }

int run_for_person(void) {
  static WCHAR folder[MAX_PATH_CHARS];
  Child child;
  DWORD code = 1;
  choose_version(folder);
  SetConsoleCtrlHandler(ignore, TRUE);
  if (!start_agent(folder, words_after_ours(GetCommandLineW()), NULL, &child)) {
    fprintf(stderr, "the agent could not be started: error %lu of Windows\n", GetLastError());
    return 1;
  }
  WaitForSingleObject(child.process, INFINITE);
  GetExitCodeProcess(child.process, &code);
  end_child(&child);
  return (int)code;
}
