// Running a version that may be bad: what it does is bounded in time, and it is gone afterwards.
#include "versions.h"
#include <stdio.h>
#include <string.h>

enum {
  MAX_NAME_BYTES = 64,
  // A scanner may hold a new program for a moment: then three tries must not be over in another one.
  HELD_MS = 5 * 1000,
};

static const WCHAR *const FILES[] = {L"node.exe", L"keybound-agent.cjs", L"keybound-job-launcher.exe"};

static const WCHAR *folder_of(const Version *version) {
  static WCHAR folder[MAX_PATH_CHARS];
  versions_path(folder, version->release);
  return folder;
}

// FALSE where it ran until its time was over, or `stopping` was set. `stopping` may be NULL.
static BOOL ends_within(const Child *child, DWORD patience_ms, HANDLE stopping) {
  HANDLE either[] = {child->process, stopping};
  return WaitForMultipleObjects(stopping == NULL ? 1 : 2, either, FALSE, patience_ms) == WAIT_OBJECT_0;
}

BOOL has_files(const Version *version) {
  static WCHAR path[MAX_PATH_CHARS];
  for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
    swprintf(path, MAX_PATH_CHARS, L"%ls\\%ls", folder_of(version), FILES[i]);
    DWORD kind = GetFileAttributesW(path);
    if (kind == INVALID_FILE_ATTRIBUTES || (kind & FILE_ATTRIBUTE_DIRECTORY)) return FALSE;
  }
  return TRUE;
}

void run_trial(const Version *version, HANDLE stopping) {
  static WCHAR words[MAX_PATH_CHARS];
  LoggedAgent agent;
  DWORD code = 0;
  swprintf(words, MAX_PATH_CHARS, L"run --prove --state \"%ls\\state\"", data_folder());
  if (!start_logged(&agent, folder_of(version), words, FALSE)) {
    log_words(EVENTLOG_ERROR_TYPE, L"version %ls could not be started: error %lu of Windows", version->release, GetLastError());
    WaitForSingleObject(stopping, HELD_MS);
    return;
  }
  BOOL is_ended = ends_within(&agent.child, TRIAL_MS, stopping);
  GetExitCodeProcess(agent.child.process, &code);
  end_logged(&agent);
  if (is_ended) log_words(EVENTLOG_INFORMATION_TYPE, L"version %ls ended with exit code %lu", version->release, code);
  else log_words(EVENTLOG_WARNING_TYPE, L"version %ls was ended after its time, or with the service", version->release);
}

// What has been written by now, without waiting for more: whoever holds the other end may hold it for ever.
static DWORD take_written(HANDLE pipe, char bytes[MAX_NAME_BYTES]) {
  DWORD there, got = 0;
  if (!PeekNamedPipe(pipe, NULL, 0, NULL, &there, NULL) || there == 0 || there > MAX_NAME_BYTES) return 0;
  return ReadFile(pipe, bytes, there, &got, NULL) ? got : 0;
}

static BOOL is_name(const char *bytes, DWORD length, const Version *version) {
  char name[MAX_NAME_BYTES];
  DWORD wanted = (DWORD)snprintf(name, sizeof name, "keybound-agent %ls", version->release);
  while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r')) length--;
  return length == wanted && memcmp(bytes, name, wanted) == 0;
}

static BOOL runs_well(const Version *version, Streams streams, HANDLE stopping) {
  Child child;
  DWORD code = 1;
  if (!start_agent(folder_of(version), L"--version", &streams, &child)) return FALSE;
  BOOL is_ended = ends_within(&child, NAME_MS, stopping);
  GetExitCodeProcess(child.process, &code);
  end_child(&child);
  return is_ended && code == 0;
}

BOOL says_its_name(const Version *version, HANDLE stopping) {
  char bytes[MAX_NAME_BYTES];
  HANDLE output = NULL, their_output = NULL, nothing = open_nothing();
  BOOL is_said = has_files(version) && nothing != NULL && CreatePipe(&output, &their_output, NULL, 0) &&
                 runs_well(version, (Streams){nothing, their_output, nothing}, stopping) &&
                 is_name(bytes, take_written(output, bytes), version);
  HANDLE ours[] = {output, their_output, nothing};
  for (int i = 0; i < 3; i++)
    if (ours[i] != NULL) CloseHandle(ours[i]);
  return is_said;
}
