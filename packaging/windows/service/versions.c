// Chooses the version of the agent that is started: the one on trial once it has proved itself, else `current`, else the packaged one
// (docs/update.md). packaging/unix/start is the same for Linux and macOS, and one table of cases holds for both
// (test/agent/version-cases.ts).
//
// Nothing that is found in PROGRAM\versions stops it: what cannot be used is said, and the version before runs.
#include "versions.h"
#include <stdio.h>

static BOOL is_newer(const Version *one, const Version *other) { return one->weight > other->weight; }

static BOOL is_set(HANDLE stopping) { return stopping != NULL && WaitForSingleObject(stopping, 0) == WAIT_OBJECT_0; }

// `name` holds the version and a count. FALSE where the disk takes no writes.
static BOOL give_up(const WCHAR *name, const Version *version, const WCHAR *why) {
  const WCHAR *what = version->release[0] == L'\0' ? L"without a name" : version->release;
  log_words(EVENTLOG_ERROR_TYPE, L"version %ls failed: %ls", what, why);
  return move_version(name, L"failed");
}

// One try, counted on the disk before it begins.
static BOOL try_once(Version *trial, HANDLE stopping) {
  trial->count++;
  if (!put_version(L"trial", trial)) return FALSE;
  log_words(EVENTLOG_INFORMATION_TYPE, L"trying version %ls, %lu of %d", trial->release, trial->count, TRIES_ALLOWED);
  run_trial(trial, stopping);
  return TRUE;
}

// FALSE where the disk takes no writes: that must not keep us here.
static BOOL try_or_give_up(const Version *packaged, HANDLE stopping) {
  Version trial, current;
  if (!read_version(L"trial", &trial)) return give_up(L"trial", &trial, L"versions\\trial is not to be read");
  // It was proved, and what was to say so was cut off.
  if (read_version(L"current", &current) && current.weight == trial.weight) return drop_version(L"trial");
  if (!is_newer(&trial, packaged)) return give_up(L"trial", &trial, L"it is not newer than the packaged version");
  if (!has_files(&trial)) return give_up(L"trial", &trial, L"its files are not there");
  if (trial.count >= TRIES_ALLOWED) return give_up(L"trial", &trial, L"so many tries were allowed");
  return try_once(&trial, stopping);
}

// A version that proved itself and then failed to serve gives its place to the one before.
static void drop_failed(void) {
  Version failed, current;
  if (!read_version(L"failed", &failed) || !read_version(L"current", &current) || failed.weight != current.weight) return;
  if (!has_version_file(L"back") || !move_version(L"back", L"current")) drop_version(L"current");
}

// Counts the start of the version that proved itself. After too many it gives way, where there is one that can read the state.
static void count_start(Version *current) {
  Version starts;
  BOOL is_counted = read_version(L"starts", &starts) && starts.weight == current->weight;
  current->count = is_counted ? starts.count : 0;
  if (current->count < STARTS_ALLOWED) {
    current->count++;
    put_version(L"starts", current);
  } else if (has_version_file(L"back") && give_up(L"starts", current, L"it was started too often")) drop_failed();
}

// The newest that proved itself and still runs, where it is newer than the package.
static void pick(WCHAR *folder, const Version *packaged, HANDLE stopping) {
  static const WCHAR *const NAMES[] = {L"current", L"back"};
  for (int i = 0; i < 2 && !is_set(stopping); i++) {
    Version found;
    if (!read_version(NAMES[i], &found)) {
      if (has_version_file(NAMES[i])) log_words(EVENTLOG_ERROR_TYPE, L"versions\\%ls is not to be read", NAMES[i]);
    } else if (is_newer(&found, packaged)) {
      if (says_its_name(&found, stopping)) {
        versions_path(folder, found.release);
        return;
      }
      if (!is_set(stopping)) log_words(EVENTLOG_ERROR_TYPE, L"version %ls is damaged; it is not used", found.release);
    }
  }
}

static BOOL are_usable(void) {
  static WCHAR strange[MAX_PATH_CHARS];
  if (are_versions_ours(strange)) return TRUE;
  const WCHAR *form = L"%ls is a link, or others than administrators may write it: no update is used";
  if (strange[0] != L'\0') log_words(EVENTLOG_ERROR_TYPE, form, strange);
  return FALSE;
}

void choose_version(WCHAR *folder) {
  Version packaged;
  wcscpy(folder, programs_folder());
  if (read_packaged(&packaged) && are_usable()) pick(folder, &packaged, NULL);
}

BOOL choose_to_serve(WCHAR *folder, HANDLE stopping) {
  Version packaged, current;
  wcscpy(folder, programs_folder());
  if (!read_packaged(&packaged) || !are_usable()) return TRUE;
  while (has_version_file(L"trial") && !is_set(stopping))
    if (!try_or_give_up(&packaged, stopping)) break;
  if (is_set(stopping)) return FALSE;
  drop_failed();
  if (read_version(L"current", &current) && is_newer(&current, &packaged)) count_start(&current);
  pick(folder, &packaged, stopping);
  return !is_set(stopping);
}

// In UTF-8: the agent reads it, and no locale must have a say.
static void print_path(const WCHAR *path) {
  static char text[3 * MAX_PATH_CHARS];
  if (WideCharToMultiByte(CP_UTF8, 0, path, -1, text, sizeof text, NULL, NULL) > 0) fputs(text, stdout);
}

int check_versions(void) {
  static WCHAR strange[MAX_PATH_CHARS];
  Version packaged;
  if (!read_packaged(&packaged)) fputs("there is no packaged version beside this program\n", stdout);
  else if (are_versions_ours(strange) || strange[0] == L'\0') return 0;
  else {
    print_path(strange);
    fputs(" is a link, or others than administrators may write it\n", stdout);
  }
  return 1;
}
