// What the installer has done by us: all that a table of an MSI cannot say, and what must be said to a deployment tool.
#include "service.h"
#include <sddl.h>
#include <stdio.h>

enum {
  // Longer than the agent's own bound on its time to make a folder private.
  FOLDER_MS = 60 * 1000,
  BIND_MS = 120 * 1000,
  // Longer than the agent looks for a relay that takes its goodbye.
  LEAVE_MS = 30 * 1000,
  // Windows restarts a host that died after these.
  FIRST_RESTART_MS = 5 * 1000,
  NEXT_RESTART_MS = 60 * 1000,
  RESTARTS_FORGOTTEN_S = 24 * 60 * 60,
  // Longer than host.c needs to stop.
  SHUTDOWN_MS = 35 * 1000,
  TIMED_OUT = 124,
};

static int ended(Child *child, DWORD patience_ms) {
  DWORD code = TIMED_OUT;
  if (WaitForSingleObject(child->process, patience_ms) == WAIT_OBJECT_0) GetExitCodeProcess(child->process, &code);
  end_child(child);
  return (int)code;
}

static int fail(const WCHAR *what, DWORD code) {
  log_words(EVENTLOG_ERROR_TYPE, L"%ls: error %lu of Windows", what, code);
  fwprintf(stderr, L"%ls: error %lu of Windows\n", what, code);
  return 1;
}

// A path with spaces and without quotes is one that Windows tries word by word; MSI is said to quote it, and here it is so.
static BOOL set_service(SC_HANDLE service) {
  static WCHAR path[MAX_PATH_CHARS];
  SC_ACTION restarts[] = {{SC_ACTION_RESTART, FIRST_RESTART_MS}, {SC_ACTION_RESTART, FIRST_RESTART_MS}, {SC_ACTION_RESTART, NEXT_RESTART_MS}};
  SERVICE_FAILURE_ACTIONSW recovery = {.dwResetPeriod = RESTARTS_FORGOTTEN_S, .cActions = 3, .lpsaActions = restarts};
  SERVICE_PRESHUTDOWN_INFO shutdown = {SHUTDOWN_MS};
  swprintf(path, MAX_PATH_CHARS, L"\"%ls\\keybound-service.exe\"", programs_folder());
  return ChangeServiceConfigW(service, SERVICE_NO_CHANGE, SERVICE_NO_CHANGE, SERVICE_NO_CHANGE, path, NULL, NULL, NULL, NULL,
                              NULL, NULL) &&
         ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, &recovery) &&
         ChangeServiceConfig2W(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &shutdown);
}

static int settle_service(void) {
  SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
  SC_HANDLE service =
      manager == NULL ? NULL : OpenServiceW(manager, SERVICE_NAME, SERVICE_CHANGE_CONFIG | SERVICE_START | SERVICE_QUERY_CONFIG);
  if (service == NULL || !set_service(service)) return fail(L"the service could not be set", GetLastError());
  CloseServiceHandle(service);
  CloseServiceHandle(manager);
  return 0;
}

// The launcher knows who may read it, and takes over nothing that a stranger has put there.
static int settle_folder(void) {
  static WCHAR program[MAX_PATH_CHARS], line[MAX_PATH_CHARS];
  Child child;
  HANDLE nothing = open_nothing();
  swprintf(program, MAX_PATH_CHARS, L"%ls\\keybound-job-launcher.exe", programs_folder());
  swprintf(line, MAX_PATH_CHARS, L"\"%ls\" private \"%ls\\state\"", program, data_folder());
  if (nothing == NULL || !start_program(program, line, &(Streams){nothing, nothing, nothing}, &child))
    return fail(L"keybound-job-launcher.exe could not be started", GetLastError());
  int code = ended(&child, FOLDER_MS);
  CloseHandle(nothing);
  if (code == 0) return 0;
  log_words(EVENTLOG_ERROR_TYPE, L"%ls\\state could not be made private: is it, or what lies in it, somebody else's?", data_folder());
  return code;
}

int settle(void) {
  int code = settle_folder();
  return code == 0 ? settle_service() : code;
}

// Where a deployment tool finds what the agent said: made for SYSTEM and the Administrators, who alone need it. Its folder is one
// where they alone write.
static HANDLE open_record(void) {
  static WCHAR path[MAX_PATH_CHARS];
  SECURITY_ATTRIBUTES security = {sizeof security, NULL, FALSE};
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(L"D:P(A;;FA;;;SY)(A;;FA;;;BA)", SDDL_REVISION_1,
                                                            &security.lpSecurityDescriptor, NULL))
    return NULL;
  swprintf(path, MAX_PATH_CHARS, L"%ls\\install.log", data_folder());
  HANDLE file = CreateFileW(path, FILE_APPEND_DATA, FILE_SHARE_READ, &security, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
  DWORD code = GetLastError();
  LocalFree(security.lpSecurityDescriptor);
  SetLastError(code);
  return file == INVALID_HANDLE_VALUE ? NULL : file;
}

// What we put between quotes must not end them.
static BOOL is_plain(const WCHAR *word) {
  size_t length = wcslen(word);
  return wcschr(word, L'"') == NULL && (length == 0 || word[length - 1] != L'\\') && length < MAX_PATH_CHARS / 4;
}

static int run_agent(const WCHAR *words, HANDLE record, DWORD patience_ms) {
  static WCHAR folder[MAX_PATH_CHARS];
  Child child;
  HANDLE nothing = open_nothing();
  choose_version(folder);
  if (nothing == NULL || !start_agent(folder, words, &(Streams){nothing, record, record}, &child))
    return fail(L"the agent could not be started", GetLastError());
  int code = ended(&child, patience_ms);
  CloseHandle(nothing);
  return code;
}

static void record_end(HANDLE record, const char *command, int code) {
  char line[64];
  DWORD written;
  int length = snprintf(line, sizeof line, "keybound-agent %s: exit code %d\r\n", command, code);
  WriteFile(record, line, (DWORD)length, &written, NULL);
  CloseHandle(record);
}

static int run_bind(const WCHAR *file, const WCHAR *pin, BOOL is_rebind, HANDLE record) {
  static WCHAR words[MAX_PATH_CHARS];
  swprintf(words, MAX_PATH_CHARS, L"bind \"%ls\" %ls%ls%ls %ls --state \"%ls\\state\"", file, *pin == L'\0' ? L"" : L"--trust=\"",
           pin, *pin == L'\0' ? L"" : L"\"", is_rebind ? L"--rebind" : L"", data_folder());
  return run_agent(words, record, BIND_MS);
}

static int bind_to(const WCHAR *file, const WCHAR *pin, BOOL is_rebind) {
  HANDLE record = open_record();
  if (record == NULL) return fail(L"install.log could not be opened", GetLastError());
  int code = run_bind(file, pin, is_rebind, record);
  record_end(record, "bind", code);
  if (code == 0) log_words(EVENTLOG_INFORMATION_TYPE, L"bound by %ls", file);
  else log_words(EVENTLOG_ERROR_TYPE, L"not bound by %ls: exit code %d; why is in %ls\\install.log", file, code, data_folder());
  return code;
}

int bind_device(int count, WCHAR **words) {
  BOOL is_optional = wcscmp(words[1], L"bind-if-there") == 0;
  BOOL is_plainly_said = count == 5 && is_plain(words[2]) && is_plain(words[3]);
  if (!is_plainly_said || (!is_optional && wcscmp(words[1], L"bind") != 0)) {
    fputs("usage: keybound-service bind FILE PIN REBIND\n", stderr);
    return 2;
  }
  if (is_optional && GetFileAttributesW(words[2]) == INVALID_FILE_ATTRIBUTES) return 0;
  return bind_to(words[2], words[3], words[4][0] != L'\0');
}

// The agent has been stopped, and is still there.
int leave(void) {
  static WCHAR words[MAX_PATH_CHARS];
  HANDLE record = open_record();
  if (record == NULL) return fail(L"install.log could not be opened", GetLastError());
  swprintf(words, MAX_PATH_CHARS, L"leave --state \"%ls\\state\"", data_folder());
  int code = run_agent(words, record, LEAVE_MS);
  record_end(record, "leave", code);
  if (code != 0) log_words(EVENTLOG_ERROR_TYPE, L"has not left: exit code %d; why is in %ls\\install.log", code, data_folder());
  return code;
}

int stop(void) {
  return stop_service() ? 0 : fail(L"the service could not be stopped", GetLastError());
}

static int remove_for_installer(const WCHAR *path, const WCHAR *what) {
  return remove_tree(path) ? 0 : fail(what, GetLastError());
}

int drop_versions(void) {
  static WCHAR path[MAX_PATH_CHARS];
  swprintf(path, MAX_PATH_CHARS, L"%ls\\versions", programs_folder());
  return remove_for_installer(path, L"not all versions of updates could be removed");
}

int purge(void) { return remove_for_installer(data_folder(), L"not all of the state could be removed"); }
