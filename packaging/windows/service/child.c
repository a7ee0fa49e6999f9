// Starts a program of ours: with an environment that takes no orders, three handles, and in a Job Object.
#include "service.h"
#include <knownfolders.h>
#include <shlobj.h>
#include <stdio.h>

// Node and OpenSSL take orders from these; the same list is in packaging/systemd. Nobody's settings for other programs may reach
// the agent. NODE_EXTRA_CA_CERTS stays: it is how a machine is told of an authority of its organisation's own.
static const WCHAR *const UNSET[] = {
    L"NODE_OPTIONS", L"NODE_PATH",          L"NODE_TLS_REJECT_UNAUTHORIZED", L"NODE_V8_COVERAGE", L"NODE_DEBUG",
    L"NODE_REDIRECT_WARNINGS", L"NODE_COMPILE_CACHE", L"NODE_ICU_DATA",      L"OPENSSL_CONF",     L"OPENSSL_MODULES",
    L"OPENSSL_ENGINES",        L"SSL_CERT_FILE",      L"SSL_CERT_DIR",       L"SSLKEYLOGFILE",    L"NODE_REPL_EXTERNAL_MODULE",
};

const WCHAR *programs_folder(void) {
  static WCHAR folder[MAX_PATH_CHARS];
  if (folder[0] == L'\0') {
    DWORD length = GetModuleFileNameW(NULL, folder, MAX_PATH_CHARS);
    WCHAR *cut = length == 0 || length == MAX_PATH_CHARS ? NULL : wcsrchr(folder, L'\\');
    if (cut == NULL) ExitProcess(1);
    *cut = L'\0';
  }
  return folder;
}

// Asked of Windows, not read from the environment.
const WCHAR *data_folder(void) {
  static WCHAR folder[MAX_PATH_CHARS];
  WCHAR *found;
  if (folder[0] == L'\0') {
    if (FAILED(SHGetKnownFolderPath(&FOLDERID_ProgramData, 0, NULL, &found))) ExitProcess(1);
    swprintf(folder, MAX_PATH_CHARS, L"%ls\\Keybound", found);
    CoTaskMemFree(found);
  }
  return folder;
}

HANDLE open_nothing(void) {
  HANDLE opened =
      CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
  return opened == INVALID_HANDLE_VALUE ? NULL : opened;
}

static BOOL is_unset(const WCHAR *entry) {
  for (size_t i = 0; i < sizeof UNSET / sizeof *UNSET; i++)
    if (CompareStringOrdinal(entry, (int)wcscspn(entry, L"="), UNSET[i], -1, TRUE) == CSTR_EQUAL) return TRUE;
  return FALSE;
}

static WCHAR *environment(void) {
  WCHAR *all = GetEnvironmentStringsW(), *end = all;
  if (all == NULL) return NULL;
  while (*end != L'\0') end += wcslen(end) + 1;
  WCHAR *block = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, (size_t)(end - all + 2) * sizeof(WCHAR)), *to = block;
  for (WCHAR *entry = all; block != NULL && *entry != L'\0'; entry += wcslen(entry) + 1)
    if (!is_unset(entry)) to += wcslen(wcscpy(to, entry)) + 1;
  FreeEnvironmentStringsW(all);
  return block;
}

// Holds the one process that we start. What that starts is its own to end, as it does with each job; in here, what a job leaves
// behind on purpose would end with the service.
static HANDLE make_job(void) {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  HANDLE job = CreateJobObjectW(NULL, NULL);
  if (job == NULL || SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits)) return job;
  CloseHandle(job);
  return NULL;
}

// The job that it is born into, so that nothing of it is left where we die meanwhile; and these handles alone, where there are any.
static LPPROC_THREAD_ATTRIBUTE_LIST attributes(HANDLE *job, HANDLE *handles, DWORD count) {
  SIZE_T size = 0;
  InitializeProcThreadAttributeList(NULL, 2, 0, &size);
  LPPROC_THREAD_ATTRIBUTE_LIST list = HeapAlloc(GetProcessHeap(), 0, size);
  if (list == NULL || !InitializeProcThreadAttributeList(list, 2, 0, &size) ||
      !UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, job, sizeof *job, NULL, NULL))
    return NULL;
  if (count == 0 || UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, count * sizeof(HANDLE), NULL, NULL))
    return list;
  return NULL;
}

// The handles that a program is to have, each once, and all inheritable.
static DWORD inherited(const Streams *streams, HANDLE handles[3]) {
  const HANDLE all[] = {streams->input, streams->output, streams->errors};
  DWORD count = 0;
  for (int i = 0; i < 3; i++) {
    DWORD at = 0;
    while (at < count && handles[at] != all[i]) at++;
    if (at == count) handles[count++] = all[i];
    if (!SetHandleInformation(all[i], HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) return 0;
  }
  return count;
}

// Without streams it has those of whoever started us, the console, and the folder where that person is.
static BOOL create(const WCHAR *program, WCHAR *line, const Streams *streams, HANDLE *job, PROCESS_INFORMATION *made) {
  STARTUPINFOEXW start = {.StartupInfo = {.cb = sizeof start}};
  DWORD flags = CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT, count = 0;
  HANDLE handles[3];
  if (streams != NULL) {
    count = inherited(streams, handles);
    if (count == 0) return FALSE;
    start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    start.StartupInfo.hStdInput = streams->input;
    start.StartupInfo.hStdOutput = streams->output;
    start.StartupInfo.hStdError = streams->errors;
    flags |= CREATE_NO_WINDOW;
  }
  WCHAR *block = environment();
  start.lpAttributeList = attributes(job, handles, count);
  BOOL is_made = block != NULL && start.lpAttributeList != NULL &&
                 CreateProcessW(program, line, NULL, NULL, TRUE, flags, block, streams == NULL ? NULL : programs_folder(),
                                &start.StartupInfo, made);
  DWORD code = GetLastError();
  if (block != NULL) HeapFree(GetProcessHeap(), 0, block);
  if (start.lpAttributeList != NULL) HeapFree(GetProcessHeap(), 0, start.lpAttributeList);
  SetLastError(code);
  return is_made;
}

BOOL start_program(const WCHAR *program, WCHAR *line, const Streams *streams, Child *child) {
  PROCESS_INFORMATION made;
  child->job = make_job();
  if (child->job == NULL) return FALSE;
  if (!create(program, line, streams, &child->job, &made)) {
    DWORD code = GetLastError();
    CloseHandle(child->job);
    SetLastError(code);
    return FALSE;
  }
  child->process = made.hProcess;
  CloseHandle(made.hThread);
  return TRUE;
}

BOOL start_agent(const WCHAR *folder, const WCHAR *words, const Streams *streams, Child *child) {
  static WCHAR program[MAX_PATH_CHARS], line[MAX_PATH_CHARS];
  swprintf(program, MAX_PATH_CHARS, L"%ls\\node.exe", folder);
  /* Flags of Node: scripts/package/agent-flags.ts says why. */
  const WCHAR *form = L"\"%ls\" --disable-warning=ExperimentalWarning --max-semi-space-size=1 \"%ls\\keybound-agent.cjs\" %ls";
  int length = swprintf(line, MAX_PATH_CHARS, form, program, folder, words);
  if (length > 0) return start_program(program, line, streams, child);
  SetLastError(ERROR_FILENAME_EXCED_RANGE);
  return FALSE;
}

void end_child(Child *child) {
  TerminateJobObject(child->job, 1);
  WaitForSingleObject(child->process, INFINITE);
  CloseHandle(child->process);
  CloseHandle(child->job);
}
