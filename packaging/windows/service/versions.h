// What the files that choose a version share; docs/update.md has the files on the disk that they read and write.
#pragma once
#include "service.h"

enum {
  MAX_RELEASE_CHARS = 12,
  // A version fails after so many tries. What comes late, such as a network, comes within the time of one.
  TRIES_ALLOWED = 3,
  // So many starts in a row of which none lasted for a minute, nor ended in order: it cannot serve.
  STARTS_ALLOWED = 5,
};

// A version on trial gives up by itself after five minutes without a relay. One that is still there after this hangs. The waits of a
// test are shorter.
#ifndef TRIAL_MS
#define TRIAL_MS (420 * 1000)
#endif
// A version that takes longer to say its name is damaged.
#ifndef NAME_MS
#define NAME_MS (60 * 1000)
#endif

// Three numbers below a thousand, and a number of tries or starts. Versions are compared by their weight.
typedef struct {
  WCHAR release[MAX_RELEASE_CHARS];
  DWORD weight;
  DWORD count;
} Version;

// The path of this name in PROGRAM\versions, of MAX_PATH_CHARS.
void versions_path(WCHAR *path, const WCHAR *name);
// Of PROGRAM\versions\NAME and of PROGRAM\version. FALSE where there is no such file, or no version in it.
BOOL read_version(const WCHAR *name, Version *found);
BOOL read_packaged(Version *found);
// Whether there is anything of this name in PROGRAM\versions.
BOOL has_version_file(const WCHAR *name);
// Each is on the disk when it returns TRUE; else that is logged.
BOOL put_version(const WCHAR *name, const Version *version);
BOOL move_version(const WCHAR *from, const WCHAR *to);
BOOL drop_version(const WCHAR *name);

// Whether nobody but the owner of PROGRAM, SYSTEM, the Administrators and TrustedInstaller could have put there what lies in
// PROGRAM\versions. Where somebody else could, `strange`, of MAX_PATH_CHARS, is the first such path; it is empty where there is no such
// folder.
BOOL are_versions_ours(WCHAR *strange);

// Runs the version on trial once, its lines into the Event Log, until it ends, its time is over or `stopping` is set; then it is gone.
void run_trial(const Version *version, HANDLE stopping);
// Whether what lies there is a version's and says so: a Node that does not run, or a bundle that is cut short, does not.
BOOL has_files(const Version *version);
BOOL says_its_name(const Version *version, HANDLE stopping);
