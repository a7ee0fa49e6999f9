// An agent whose lines go into the Event Log.
#include "service.h"

enum { LAST_LINES_MS = 2000 };

static void close_handle(HANDLE handle) {
  if (handle != NULL) CloseHandle(handle);
}

BOOL start_logged(LoggedAgent *agent, const WCHAR *folder, const WCHAR *words, BOOL has_input) {
  HANDLE their_input = NULL, their_output = NULL, output = NULL;
  *agent = (LoggedAgent){0};
  if (!has_input) their_input = open_nothing();
  else if (!CreatePipe(&their_input, &agent->input, NULL, 0)) their_input = NULL;
  BOOL is_started = their_input != NULL && CreatePipe(&output, &their_output, NULL, 0) &&
                    start_agent(folder, words, &(Streams){their_input, their_output, their_output}, &agent->child);
  DWORD code = GetLastError();
  close_handle(their_input);
  close_handle(their_output);
  if (is_started) agent->reader = CreateThread(NULL, 0, log_lines, output, 0, NULL);
  // Without a reader the agent fails to write, and ends.
  if (agent->reader == NULL) close_handle(output);
  if (!is_started) close_handle(agent->input);
  SetLastError(code);
  return is_started;
}

// Its last lines are read as well, unless somebody that it left behind holds its output open.
void end_logged(LoggedAgent *agent) {
  end_child(&agent->child);
  close_handle(agent->input);
  if (agent->reader == NULL) return;
  WaitForSingleObject(agent->reader, LAST_LINES_MS);
  CloseHandle(agent->reader);
}
