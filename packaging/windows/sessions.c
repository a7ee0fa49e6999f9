// Whose session a job is for: found by what Windows says of its sessions, never by a name of a file or a window.
//
// Only SYSTEM gets tokens of other people. Where nobody is logged on there is no token, and nothing is started as anybody else.
#include "launcher.h"
#include <stdio.h>
#include <wtsapi32.h>

enum { MAKE_JOB_MS = 10000 };

static SessionsFound add(DWORD id, Session *sessions, DWORD *count) {
  HANDLE token;
  if (!WTSQueryUserToken(id, &token)) {
    DWORD code = GetLastError();
    return code == ERROR_PRIVILEGE_NOT_HELD || code == ERROR_ACCESS_DENIED ? SESSIONS_DENIED : SESSIONS_NONE;
  }
  if (*count == MAX_SESSIONS) return SESSIONS_MANY;
  sessions[(*count)++] = (Session){id, token};
  return SESSIONS_FOUND;
}

// Whether this session's user has that name, in which domain ever; `domain` is then the domain, at most `size` units.
static BOOL belongs_to(DWORD id, const WCHAR *name, WCHAR *domain, DWORD size) {
  WCHAR *user = NULL, *of = NULL;
  DWORD bytes;
  BOOL is = WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, id, WTSUserName, &user, &bytes) &&
            WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, id, WTSDomainName, &of, &bytes) && *user != L'\0' &&
            CompareStringOrdinal(user, -1, name, -1, TRUE) == CSTR_EQUAL;
  if (is) lstrcpynW(domain, of, (int)size);
  WTSFreeMemory(user);
  WTSFreeMemory(of);
  return is;
}

// One session of the user with this name, the one in use before one that is disconnected. Two users of one name in two
// domains are nobody: which of them was meant is not for us to guess.
static SessionsFound add_named(const WCHAR *name, const WTS_SESSION_INFOW *all, DWORD all_count, Session *sessions,
                               DWORD *count) {
  WCHAR domain[256], first[256];
  const WTS_SESSION_INFOW *chosen = NULL;
  for (DWORD i = 0; i < all_count; i++) {
    if (all[i].State != WTSActive && all[i].State != WTSDisconnected) continue;
    if (!belongs_to(all[i].SessionId, name, domain, 256)) continue;
    if (chosen != NULL && CompareStringOrdinal(domain, -1, first, -1, TRUE) != CSTR_EQUAL) return SESSIONS_NONE;
    if (chosen == NULL || (chosen->State != WTSActive && all[i].State == WTSActive)) chosen = &all[i];
    lstrcpynW(first, domain, 256);
  }
  return chosen == NULL ? SESSIONS_NONE : add(chosen->SessionId, sessions, count);
}

static SessionsFound add_active(const WTS_SESSION_INFOW *all, DWORD all_count, Session *sessions, DWORD *count) {
  for (DWORD i = 0; i < all_count; i++) {
    if (all[i].State != WTSActive) continue;
    SessionsFound found = add(all[i].SessionId, sessions, count);
    if (found == SESSIONS_DENIED || found == SESSIONS_MANY) return found;
  }
  return *count == 0 ? SESSIONS_NONE : SESSIONS_FOUND;
}

SessionsFound find_sessions(const WCHAR *who, Session sessions[MAX_SESSIONS], DWORD *count) {
  *count = 0;
  if (wcscmp(who, L"console") == 0) {
    DWORD id = WTSGetActiveConsoleSessionId();
    return id == MAXDWORD ? SESSIONS_NONE : add(id, sessions, count);
  }
  WTS_SESSION_INFOW *all;
  DWORD all_count;
  if (!WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &all, &all_count)) return SESSIONS_NONE;
  SessionsFound found = wcsncmp(who, L"user ", 5) == 0 ? add_named(who + 5, all, all_count, sessions, count)
                        : wcscmp(who, L"sessions") == 0 ? add_active(all, all_count, sessions, count)
                                                        : SESSIONS_NONE;
  WTSFreeMemory(all);
  return found;
}

// Our own token, for that session: only SYSTEM may do so.
static HANDLE own_token_for(DWORD id) {
  HANDLE own, copy = NULL;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_DUPLICATE, &own)) return NULL;
  if (DuplicateTokenEx(own, MAXIMUM_ALLOWED, NULL, SecurityImpersonation, TokenPrimary, &copy) &&
      !SetTokenInformation(copy, TokenSessionId, &id, sizeof id)) {
    CloseHandle(copy);
    copy = NULL;
  }
  CloseHandle(own);
  return copy;
}

// Starts this program anew in the session; its exit code is the handle that it put into our process.
static HANDLE made_by_another(HANDLE token, HANDLE self) {
  WCHAR program[MAX_PATH], line[MAX_PATH + 64];
  STARTUPINFOW start = {.cb = sizeof start, .lpDesktop = L"winsta0\\default"};
  PROCESS_INFORMATION made;
  DWORD code = 0, length = GetModuleFileNameW(NULL, program, MAX_PATH);
  if (length == 0 || length == MAX_PATH) return NULL;
  swprintf(line, MAX_PATH + 64, L"\"%ls\" %ls %llu", program, MAKE_JOB, (unsigned long long)(ULONG_PTR)self);
  if (!CreateProcessAsUserW(token, program, line, NULL, NULL, TRUE, DETACHED_PROCESS, NULL, NULL, &start, &made))
    return NULL;
  if (WaitForSingleObject(made.hProcess, MAKE_JOB_MS) == WAIT_OBJECT_0) GetExitCodeProcess(made.hProcess, &code);
  else TerminateProcess(made.hProcess, 0);
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
  if (code == 0) SetLastError(ERROR_NOT_SUPPORTED);
  return (HANDLE)(ULONG_PTR)code;
}

// A Job Object belongs to the session of whoever makes it, and holds no process of another one.
HANDLE job_in_session(DWORD id) {
  DWORD own;
  HANDLE token, self, job = NULL;
  if (ProcessIdToSessionId(GetCurrentProcessId(), &own) && own == id) return CreateJobObjectW(NULL, NULL);
  if ((token = own_token_for(id)) == NULL) return NULL;
  if (DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), GetCurrentProcess(), &self, PROCESS_DUP_HANDLE, TRUE, 0)) {
    job = made_by_another(token, self);
    CloseHandle(self);
  }
  CloseHandle(token);
  return job;
}

int make_job(const WCHAR *maker) {
  HANDLE other = (HANDLE)(ULONG_PTR)_wcstoui64(maker, NULL, 10), theirs = NULL, job = CreateJobObjectW(NULL, NULL);
  BOOL is_given = job != NULL && DuplicateHandle(GetCurrentProcess(), job, other, &theirs, 0, FALSE, DUPLICATE_SAME_ACCESS);
  return is_given ? (int)(ULONG_PTR)theirs : 0;
}
