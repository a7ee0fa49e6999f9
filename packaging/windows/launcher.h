// What the parts of the launcher share.
#pragma once
#include <windows.h>


// One user's session in which a process is to be started, and that user's token.
typedef struct {
  DWORD id;
  HANDLE token;
} Session;

enum { MAX_SESSIONS = 60 };

typedef enum { SESSIONS_FOUND, SESSIONS_NONE, SESSIONS_DENIED, SESSIONS_MANY } SessionsFound;

// Finds the sessions that `who` names: "console", "sessions" or "user NAME". Tokens are the caller's to close.
SessionsFound find_sessions(const WCHAR *who, Session sessions[MAX_SESSIONS], DWORD *count);

// A new Job Object that holds processes of that session; NULL where it could not be made.
HANDLE job_in_session(DWORD id);

// What job_in_session starts in the session, with the handle of its process in decimal. Returns the program's exit code.
#define MAKE_JOB L"make-job"
int make_job(const WCHAR *maker);

// Makes the state folder private, or says on stderr why not. Returns the program's exit code.
int make_private(const WCHAR *folder);

// Lets the token's user read what is in a job's folder, and write the one file in it that says that the shell has begun.
BOOL let_read(HANDLE token, const WCHAR *folder, const WCHAR *begun);
