// Which version of the agent is started: the one that was installed, or one that it has brought itself since.
//
// Beside the programs, in a folder that administrators alone write:
//   version             the installed version, "1.2.3\n"
//   versions\1.3.0\     another one, with the same files as the folder of the programs
//   versions\current    "1.3.0\n": it has proved itself
//   versions\trial      "1.4.0 2\n": it is being tried, and has been started twice
//   versions\failed     a trial that was given up
// A start of a trial is counted on the disk before it happens, so that one which takes the machine down with it ends as well.
#include "service.h"
#include <stdio.h>
#include <string.h>

enum { MAX_TRIES = 3, MAX_TEXT = 64 };

typedef struct {
  unsigned long parts[3];
} Version;

static void path_of(WCHAR path[MAX_PATH_CHARS], const WCHAR *name) {
  swprintf(path, MAX_PATH_CHARS, L"%ls\\%ls", programs_folder(), name);
}

// FALSE where there is no such file, or one longer than any of ours.
static BOOL read_text(const WCHAR *name, char text[MAX_TEXT]) {
  static WCHAR path[MAX_PATH_CHARS];
  DWORD length = 0;
  path_of(path, name);
  HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) return FALSE;
  BOOL is_read = ReadFile(file, text, MAX_TEXT - 1, &length, NULL) && length < MAX_TEXT - 1;
  CloseHandle(file);
  text[length] = '\0';
  return is_read && strlen(text) == length;
}

// A number without a sign or a leading zero, of at most nine digits; returns what follows, or NULL.
static const char *read_number(const char *text, unsigned long *number) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 9 || (digits > 1 && *text == '0')) return NULL;
  *number = strtoul(text, NULL, 10);
  return text + digits;
}

static const char *read_version(const char *text, Version *version) {
  for (int i = 0; text != NULL && i < 3; i++) {
    if (i > 0 && *text++ != '.') return NULL;
    text = read_number(text, &version->parts[i]);
  }
  return text;
}

static BOOL is_newer(const Version *one, const Version *other) {
  for (int i = 0; i < 3; i++)
    if (one->parts[i] != other->parts[i]) return one->parts[i] > other->parts[i];
  return FALSE;
}

static BOOL is_whole(const WCHAR *folder) {
  static WCHAR path[MAX_PATH_CHARS];
  static const WCHAR *const FILES[] = {L"node.exe", L"keybound-agent.cjs", L"keybound-job-launcher.exe"};
  for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
    swprintf(path, MAX_PATH_CHARS, L"%ls\\%ls", folder, FILES[i]);
    DWORD kind = GetFileAttributesW(path);
    if (kind == INVALID_FILE_ATTRIBUTES || kind & FILE_ATTRIBUTE_DIRECTORY) return FALSE;
  }
  return TRUE;
}

// The folder of a version, made of its numbers alone; FALSE where it is not there whole.
static BOOL find_folder(const Version *version, WCHAR folder[MAX_PATH_CHARS]) {
  swprintf(folder, MAX_PATH_CHARS, L"%ls\\versions\\%lu.%lu.%lu", programs_folder(), version->parts[0], version->parts[1],
           version->parts[2]);
  return is_whole(folder);
}

static BOOL write_synced(const WCHAR *path, const char *text) {
  DWORD length = (DWORD)strlen(text), written;
  HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
  if (file == INVALID_HANDLE_VALUE) return FALSE;
  BOOL is_written = WriteFile(file, text, length, &written, NULL) && written == length && FlushFileBuffers(file);
  CloseHandle(file);
  return is_written;
}

static BOOL replace(const WCHAR *from_name, const WCHAR *to_name) {
  static WCHAR from[MAX_PATH_CHARS], to[MAX_PATH_CHARS];
  path_of(from, from_name);
  path_of(to, to_name);
  return MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
}

static BOOL count_try(const Version *version, unsigned long tries) {
  static WCHAR path[MAX_PATH_CHARS];
  char text[MAX_TEXT];
  path_of(path, L"versions\\trial.new");
  snprintf(text, MAX_TEXT, "%lu.%lu.%lu %lu\n", version->parts[0], version->parts[1], version->parts[2], tries);
  return write_synced(path, text) && replace(L"versions\\trial.new", L"versions\\trial");
}

// What cannot be read, is not there whole, or cannot be counted is given up: nothing is tried without end.
static BOOL try_trial(WCHAR folder[MAX_PATH_CHARS]) {
  char text[MAX_TEXT];
  Version version;
  unsigned long tries;
  if (!read_text(L"versions\\trial", text)) return FALSE;
  const char *rest = read_version(text, &version);
  rest = rest == NULL || *rest != ' ' ? NULL : read_number(rest + 1, &tries);
  if (rest != NULL && strcmp(rest, "\n") == 0 && tries < MAX_TRIES && find_folder(&version, folder) &&
      count_try(&version, tries + 1))
    return TRUE;
  text[strcspn(text, "\n")] = '\0';
  log_words(EVENTLOG_ERROR_TYPE, L"version %hs is given up: it did not prove itself, or is not there whole", text);
  if (!replace(L"versions\\trial", L"versions\\failed"))
    log_words(EVENTLOG_ERROR_TYPE, L"versions\\trial could not be renamed: error %lu of Windows", GetLastError());
  return FALSE;
}

static BOOL read_whole_version(const WCHAR *name, Version *version) {
  char text[MAX_TEXT];
  if (!read_text(name, text)) return FALSE;
  const char *rest = read_version(text, version);
  return rest != NULL && strcmp(rest, "\n") == 0;
}

static BOOL find_current(WCHAR folder[MAX_PATH_CHARS]) {
  Version current, installed;
  return read_whole_version(L"versions\\current", &current) && read_whole_version(L"version", &installed) &&
         is_newer(&current, &installed) && find_folder(&current, folder);
}

const WCHAR *current_folder(void) {
  static WCHAR folder[MAX_PATH_CHARS];
  return find_current(folder) ? folder : programs_folder();
}

const WCHAR *next_folder(void) {
  static WCHAR folder[MAX_PATH_CHARS];
  return try_trial(folder) ? folder : current_folder();
}
