// Starts one job inside a Job Object that ends with this process, and reports on it to the agent that started us.
//
// The agent cannot make a Job Object by itself, and a process that is put into one after it has started may have left
// children outside. So the agent starts this program, which starts the job's. Standard input, output and error are handed on;
// descriptor 3 brings the setup and then commands of one byte, descriptor 4 takes the reports. When descriptor 3 closes,
// because the agent said so or because it died, every process of the job is ended.
//
// Setup: four bytes of length (little endian), then NUL-ended UTF-16 strings, name and value in turn.
//   program, line, folder    what CreateProcess takes; each once
//   env                      NAME=VALUE, any number of times; nothing else is in the environment
//   processes, memory        decimal limits;  priority  low, normal or high
//   who                      console, sessions or "user NAME": absent for the account that we run as
//   take                     a name to take from the environment of the session's user
//   source, begun            the job's folder and file to which the session's user gets access
// Commands: a (ask to end), k (kill), l (let go: what is left over may stay).
// Reports, a line each: started N | absent | denied | failed CODE | deaf (nobody could be asked) | exited CODE | empty
#include "launcher.h"
#include <io.h>
#include <stdio.h>
#include <userenv.h>

enum { MAX_SETUP_BYTES = 8 * 1024 * 1024, MAX_SETUP_FIELDS = 2048, POLL_MS = 20, COMMANDS = 3, REPORTS = 4 };

typedef struct {
  const WCHAR *name;
  const WCHAR *value;
} Field;

static Field fields[MAX_SETUP_FIELDS];
static DWORD field_count;
static HANDLE commands, reports;
// One for each session, since a Job Object holds processes of one session only.
static HANDLE jobs[MAX_SESSIONS];
static DWORD job_count;
static HANDLE processes[MAX_SESSIONS];
static DWORD groups[MAX_SESSIONS], process_count;

static void report(const char *format, DWORD number) {
  char line[64];
  DWORD written;
  int length = snprintf(line, sizeof line, format, (unsigned long)number);
  WriteFile(reports, line, (DWORD)length, &written, NULL);
}

static void kill_all(void) {
  for (DWORD i = 0; i < job_count; i++) TerminateJobObject(jobs[i], 1);
}

// Says why nothing was started, and ends: what is in the job, suspended or not, ends with us.
static void fail(DWORD code) {
  report("failed %lu\n", code);
  kill_all();
  ExitProcess(1);
}

static BOOL read_all(void *bytes, DWORD size) {
  for (DWORD at = 0, got; at < size; at += got)
    if (!ReadFile(commands, (char *)bytes + at, size - at, &got, NULL) || got == 0) return FALSE;
  return TRUE;
}

static void read_setup(void) {
  DWORD size;
  if (!read_all(&size, sizeof size) || size > MAX_SETUP_BYTES || size % sizeof(WCHAR) != 0) fail(ERROR_BAD_LENGTH);
  WCHAR *text = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, size + 2 * sizeof(WCHAR));
  if (text == NULL || !read_all(text, size)) fail(ERROR_BAD_LENGTH);
  for (WCHAR *at = text, *end = text + size / sizeof(WCHAR); at < end;) {
    if (field_count == MAX_SETUP_FIELDS) fail(ERROR_BAD_LENGTH);
    Field *field = &fields[field_count++];
    field->name = at;
    field->value = at += wcslen(at) + 1;
    if (at < end) at += wcslen(at) + 1;
  }
}

static const WCHAR *setup(const WCHAR *name) {
  for (DWORD i = 0; i < field_count; i++)
    if (wcscmp(fields[i].name, name) == 0) return fields[i].value;
  return NULL;
}

static DWORD priority_class(const WCHAR *word) {
  if (wcscmp(word, L"low") == 0) return BELOW_NORMAL_PRIORITY_CLASS;
  if (wcscmp(word, L"high") == 0) return ABOVE_NORMAL_PRIORITY_CLASS;
  return NORMAL_PRIORITY_CLASS;
}

// Of each session's processes. `ends_with_us`: whether closing a Job Object's only handle, by a crash of ours as well, ends what is in it.
static BOOL limit_job(HANDLE job, BOOL ends_with_us) {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
  DWORD *flags = &limits.BasicLimitInformation.LimitFlags;
  const WCHAR *processes = setup(L"processes"), *memory = setup(L"memory"), *priority = setup(L"priority");
  if (ends_with_us) *flags |= JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (processes != NULL) {
    *flags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
    limits.BasicLimitInformation.ActiveProcessLimit = wcstoul(processes, NULL, 10);
  }
  if (memory != NULL) {
    *flags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
    limits.JobMemoryLimit = (SIZE_T)_wcstoui64(memory, NULL, 10);
  }
  if (priority != NULL) {
    *flags |= JOB_OBJECT_LIMIT_PRIORITY_CLASS;
    limits.BasicLimitInformation.PriorityClass = priority_class(priority);
  }
  return SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

static int by_name(const void *left, const void *right) {
  const WCHAR *a = *(const WCHAR *const *)left, *b = *(const WCHAR *const *)right;
  return CompareStringOrdinal(a, (int)wcscspn(a, L"="), b, (int)wcscspn(b, L"="), TRUE) - CSTR_EQUAL;
}

static BOOL is_taken(const WCHAR *entry) {
  for (DWORD i = 0; i < field_count; i++)
    if (wcscmp(fields[i].name, L"take") == 0 &&
        CompareStringOrdinal(entry, (int)wcscspn(entry, L"="), fields[i].value, -1, TRUE) == CSTR_EQUAL)
      return TRUE;
  return FALSE;
}

static BOOL is_signed(const WCHAR *entry) {
  for (DWORD i = 0; i < field_count; i++)
    if (wcscmp(fields[i].name, L"env") == 0 && by_name(&entry, &fields[i].value) == 0) return TRUE;
  return FALSE;
}

// The block that CreateProcess takes, sorted as Windows wants it: what the agent said, and of the user's what may be taken.
static WCHAR *environment_block(HANDLE token) {
  static const WCHAR *entries[MAX_SETUP_FIELDS];
  DWORD count = 0;
  size_t length = 2;
  WCHAR *users = NULL;
  for (DWORD i = 0; i < field_count; i++)
    if (wcscmp(fields[i].name, L"env") == 0) entries[count++] = fields[i].value;
  if (token != NULL && !CreateEnvironmentBlock((void **)&users, token, FALSE)) fail(GetLastError());
  for (const WCHAR *at = users; at != NULL && *at != L'\0' && count < MAX_SETUP_FIELDS; at += wcslen(at) + 1)
    if (is_taken(at) && !is_signed(at)) entries[count++] = at;
  qsort(entries, count, sizeof *entries, by_name);
  for (DWORD i = 0; i < count; i++) length += wcslen(entries[i]) + 1;
  WCHAR *block = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, length * sizeof(WCHAR)), *end = block;
  if (block == NULL) fail(ERROR_OUTOFMEMORY);
  for (DWORD i = 0; i < count; i++) end += wcslen(wcscpy(end, entries[i])) + 1;
  if (users != NULL) DestroyEnvironmentBlock(users);
  return block;
}

// The job's three handles and no other, and the job it is born into.
static LPPROC_THREAD_ATTRIBUTE_LIST attributes(HANDLE handles[3], HANDLE *job) {
  SIZE_T size = 0;
  InitializeProcThreadAttributeList(NULL, 2, 0, &size);
  LPPROC_THREAD_ATTRIBUTE_LIST list = HeapAlloc(GetProcessHeap(), 0, size);
  if (list == NULL || !InitializeProcThreadAttributeList(list, 2, 0, &size) ||
      !UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, 3 * sizeof(HANDLE), NULL, NULL) ||
      !UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, job, sizeof *job, NULL, NULL))
    fail(GetLastError());
  return list;
}

// Born suspended and inside the job, which is looked at before its first instruction: outside of it nothing ever runs.
static HANDLE create(HANDLE token, HANDLE *job) {
  static HANDLE handles[3];
  STARTUPINFOEXW start = {.StartupInfo = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES}};
  PROCESS_INFORMATION made;
  BOOL is_inside = FALSE;
  // A process of another session cannot share our console, and so not be asked by it either.
  DWORD flags = CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT |
                (token == NULL ? 0 : CREATE_NO_WINDOW);
  handles[0] = start.StartupInfo.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  handles[1] = start.StartupInfo.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  handles[2] = start.StartupInfo.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  if (token != NULL) start.StartupInfo.lpDesktop = L"winsta0\\default";
  start.lpAttributeList = attributes(handles, job);
  const WCHAR *program = setup(L"program"), *folder = setup(L"folder");
  WCHAR *line = _wcsdup(setup(L"line")), *block = environment_block(token);
  if (token == NULL ? !CreateProcessW(program, line, NULL, NULL, TRUE, flags, block, folder, &start.StartupInfo, &made)
                    : !CreateProcessAsUserW(token, program, line, NULL, NULL, TRUE, flags, block, folder,
                                            &start.StartupInfo, &made))
    fail(GetLastError());
  if (!IsProcessInJob(made.hProcess, *job, &is_inside) ||
      (!is_inside && !AssignProcessToJobObject(*job, made.hProcess))) {
    DWORD code = GetLastError();
    TerminateProcess(made.hProcess, 1);
    fail(code);
  }
  processes[process_count] = made.hProcess;
  groups[process_count++] = made.dwProcessId;
  return made.hThread;
}

// All of them or none: the last is created before the first runs. `threads` are what is to be resumed.
static void start(HANDLE threads[MAX_SESSIONS]) {
  Session sessions[MAX_SESSIONS] = {{0, NULL}};
  DWORD count = 1;
  const WCHAR *who = setup(L"who"), *source = setup(L"source"), *begun = setup(L"begun");
  if (setup(L"program") == NULL || setup(L"line") == NULL || setup(L"folder") == NULL) fail(ERROR_BAD_LENGTH);
  if (who != NULL) {
    SessionsFound found = find_sessions(who, sessions, &count);
    if (found == SESSIONS_MANY) fail(ERROR_TOO_MANY_SESS);
    if (found != SESSIONS_FOUND) {
      report(found == SESSIONS_DENIED ? "denied\n" : "absent\n", 0);
      ExitProcess(1);
    }
  }
  for (DWORD i = 0; i < count; i++) {
    jobs[i] = who == NULL ? CreateJobObjectW(NULL, NULL) : job_in_session(sessions[i].id);
    if (jobs[i] == NULL) fail(GetLastError());
    job_count++;
    if (!limit_job(jobs[i], TRUE)) fail(GetLastError());
    if (sessions[i].token != NULL && source != NULL && !let_read(sessions[i].token, source, begun)) fail(GetLastError());
    threads[i] = create(sessions[i].token, &jobs[i]);
  }
  // The agent sees the end of the output when the job's own processes have closed it.
  for (DWORD which = 0; which < 3; which++) CloseHandle(GetStdHandle(STD_INPUT_HANDLE - which));
  report("started %lu\n", count);
}

// Console programs of our own console are asked as by Ctrl+Break; others have no way to be asked.
static void ask(void) {
  BOOL is_asked = FALSE;
  for (DWORD i = 0; i < process_count && setup(L"who") == NULL; i++)
    is_asked |= GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, groups[i]);
  if (!is_asked) report("deaf\n", 0);
}

static void let_go(void) {
  for (DWORD i = 0; i < job_count; i++) limit_job(jobs[i], FALSE);
}

static DWORD WINAPI obey(void *unused) {
  char command;
  (void)unused;
  while (read_all(&command, 1)) {
    if (command == 'a') ask();
    if (command == 'k') kill_all();
    if (command == 'l') let_go();
  }
  ExitProcess(0);
}

static DWORD active_processes(void) {
  DWORD sum = 0;
  for (DWORD i = 0; i < job_count; i++) {
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION counts;
    if (!QueryInformationJobObject(jobs[i], JobObjectBasicAccountingInformation, &counts, sizeof counts, NULL))
      return MAXDWORD;
    sum += counts.ActiveProcesses;
  }
  return sum;
}

// The code of the first process that failed, in the order of sessions; 0 where none did.
static DWORD exit_code(void) {
  DWORD code = 0;
  for (DWORD i = 0; i < process_count && code == 0; i++) GetExitCodeProcess(processes[i], &code);
  return code;
}

// In the order of sessions, so that the output is theirs in that order.
static void run_in_turn(const HANDLE threads[MAX_SESSIONS]) {
  for (DWORD i = 0; i < process_count; i++) {
    ResumeThread(threads[i]);
    WaitForSingleObject(processes[i], INFINITE);
  }
}

int wmain(int count, WCHAR **words) {
  // Nothing is loaded from where we are started, or from the search path.
  SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (count == 3 && wcscmp(words[1], L"private") == 0) return make_private(words[2]);
  if (count == 3 && wcscmp(words[1], MAKE_JOB) == 0) return make_job(words[2]);
  commands = (HANDLE)_get_osfhandle(COMMANDS);
  reports = (HANDLE)_get_osfhandle(REPORTS);
  if (count != 1 || commands == INVALID_HANDLE_VALUE || reports == INVALID_HANDLE_VALUE) {
    fputs("this program is started by keybound-agent\n", stderr);
    return 2;
  }
  // What console programs write, and read as a batch file, is UTF-8; the console is this job's own.
  SetConsoleOutputCP(CP_UTF8);
  SetConsoleCP(CP_UTF8);
  read_setup();
  HANDLE threads[MAX_SESSIONS];
  start(threads);
  HANDLE obeying = CreateThread(NULL, 0, obey, NULL, 0, NULL);
  if (obeying == NULL) fail(GetLastError());
  run_in_turn(threads);
  report("exited %lu\n", exit_code());
  while (active_processes() != 0) Sleep(POLL_MS);
  // Nobody is left to write. Wine's console is a process that holds our output open; it ends with this.
  FreeConsole();
  report("empty\n", 0);
  WaitForSingleObject(obeying, INFINITE);
  return 0;
}
