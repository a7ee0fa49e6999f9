// The small files of PROGRAM\versions, a release and a count each. What cannot be read is no version; what is written is whole and on
// the disk, or not there.
#include "versions.h"
#include <stdio.h>
#include <string.h>

enum {
  // As agent/limits.ts has it.
  MAX_VERSION_TEXT_BYTES = 200,
  PARTS = 3,
  MAX_DIGITS = 3,
  // A scanner that holds a file for a moment is no disk that takes no writes.
  MOVE_TRIES = 20,
  MOVE_PAUSE_MS = 100,
};

static const char SPACES[] = " \t\r\n";

void versions_path(WCHAR *path, const WCHAR *name) {
  swprintf(path, MAX_PATH_CHARS, L"%ls\\versions\\%ls", programs_folder(), name);
}

// At most three digits, without leading zeros; returns how many, 0 where there is no such number.
static int read_number(const char *text, DWORD *number) {
  int digits = 0;
  for (*number = 0; text[digits] >= '0' && text[digits] <= '9'; digits++) {
    if (digits == MAX_DIGITS) return 0;
    *number = *number * 10 + (DWORD)(text[digits] - '0');
  }
  return digits > 1 && text[0] == '0' ? 0 : digits;
}

static BOOL read_release(const char *word, Version *found) {
  found->weight = 0;
  for (int part = 0; part < PARTS; part++) {
    DWORD number;
    int digits = read_number(word, &number);
    if (digits == 0 || word[digits] != (part == PARTS - 1 ? '\0' : '.')) return FALSE;
    word += digits + 1;
    found->weight = found->weight * 1000 + number;
  }
  const DWORD weight = found->weight;
  swprintf(found->release, MAX_RELEASE_CHARS, L"%lu.%lu.%lu", weight / 1000000, weight / 1000 % 1000, weight % 1000);
  return TRUE;
}

// One that is none counts as all tries.
static DWORD read_count(const char *word) {
  DWORD count;
  int digits = read_number(word, &count);
  return digits == 0 || word[digits] != '\0' ? TRIES_ALLOWED : count;
}

static BOOL read_text(const WCHAR *path, char text[MAX_VERSION_TEXT_BYTES + 2]) {
  DWORD got = 0;
  HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) return FALSE;
  BOOL is_read = ReadFile(file, text, MAX_VERSION_TEXT_BYTES + 1, &got, NULL) && got <= MAX_VERSION_TEXT_BYTES;
  CloseHandle(file);
  text[got] = '\0';
  return is_read;
}

static BOOL read_version_at(const WCHAR *path, Version *found) {
  char text[MAX_VERSION_TEXT_BYTES + 2];
  *found = (Version){0};
  if (!read_text(path, text)) return FALSE;
  const char *release = strtok(text, SPACES), *count = strtok(NULL, SPACES);
  if (release == NULL || !read_release(release, found)) return FALSE;
  found->count = count == NULL ? 0 : read_count(count);
  return TRUE;
}

BOOL read_version(const WCHAR *name, Version *found) {
  static WCHAR path[MAX_PATH_CHARS];
  versions_path(path, name);
  return read_version_at(path, found);
}

BOOL read_packaged(Version *found) {
  static WCHAR path[MAX_PATH_CHARS];
  swprintf(path, MAX_PATH_CHARS, L"%ls\\version", programs_folder());
  return read_version_at(path, found);
}

BOOL has_version_file(const WCHAR *name) {
  static WCHAR path[MAX_PATH_CHARS];
  versions_path(path, name);
  return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

// By whole paths. On the disk when this returns.
static BOOL move_to(const WCHAR *from, const WCHAR *to) {
  for (int tries = 1;; tries++) {
    if (MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return TRUE;
    DWORD code = GetLastError();
    if (tries == MOVE_TRIES || (code != ERROR_ACCESS_DENIED && code != ERROR_SHARING_VIOLATION)) return FALSE;
    Sleep(MOVE_PAUSE_MS);
  }
}

static BOOL write_synced(const WCHAR *path, const char *text) {
  DWORD written, length = (DWORD)strlen(text);
  HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
  if (file == INVALID_HANDLE_VALUE) return FALSE;
  BOOL is_written = WriteFile(file, text, length, &written, NULL) && written == length && FlushFileBuffers(file);
  DWORD code = GetLastError();
  CloseHandle(file);
  SetLastError(code);
  return is_written;
}

BOOL put_version(const WCHAR *name, const Version *version) {
  static WCHAR path[MAX_PATH_CHARS], temporary[MAX_PATH_CHARS];
  char text[64];
  snprintf(text, sizeof text, "%ls %lu\n", version->release, version->count);
  versions_path(path, name);
  swprintf(temporary, MAX_PATH_CHARS, L"%ls.start", path);
  if (write_synced(temporary, text) && move_to(temporary, path)) return TRUE;
  log_words(EVENTLOG_ERROR_TYPE, L"versions\\%ls could not be written: error %lu of Windows", name, GetLastError());
  return FALSE;
}

BOOL move_version(const WCHAR *from, const WCHAR *to) {
  static WCHAR path[MAX_PATH_CHARS], target[MAX_PATH_CHARS];
  versions_path(path, from);
  versions_path(target, to);
  if (move_to(path, target)) return TRUE;
  log_words(EVENTLOG_ERROR_TYPE, L"versions\\%ls could not be moved: error %lu of Windows", from, GetLastError());
  return FALSE;
}

BOOL drop_version(const WCHAR *name) {
  static WCHAR path[MAX_PATH_CHARS];
  versions_path(path, name);
  return DeleteFileW(path) || GetLastError() == ERROR_FILE_NOT_FOUND;
}
