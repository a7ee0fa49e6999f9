// Removing a folder with all that is in it.
#include "service.h"
#include <stdio.h>

static BOOL remove_all(const WCHAR *folder);

static BOOL remove_entry(const WCHAR *path, DWORD kind) {
  if (kind & FILE_ATTRIBUTE_READONLY) SetFileAttributesW(path, kind & ~(DWORD)FILE_ATTRIBUTE_READONLY);
  if (!(kind & FILE_ATTRIBUTE_DIRECTORY)) return DeleteFileW(path);
  return kind & FILE_ATTRIBUTE_REPARSE_POINT ? RemoveDirectoryW(path) : remove_all(path);
}

static BOOL remove_all(const WCHAR *folder) {
  BOOL is_removed = TRUE;
  WIN32_FIND_DATAW entry;
  WCHAR *path = HeapAlloc(GetProcessHeap(), 0, MAX_PATH_CHARS * sizeof(WCHAR));
  if (path == NULL) return FALSE;
  swprintf(path, MAX_PATH_CHARS, L"%ls\\*", folder);
  HANDLE search = FindFirstFileW(path, &entry);
  BOOL has_next = search != INVALID_HANDLE_VALUE;
  for (; has_next; has_next = FindNextFileW(search, &entry)) {
    if (wcscmp(entry.cFileName, L".") == 0 || wcscmp(entry.cFileName, L"..") == 0) continue;
    swprintf(path, MAX_PATH_CHARS, L"%ls\\%ls", folder, entry.cFileName);
    is_removed &= remove_entry(path, entry.dwFileAttributes);
  }
  if (search != INVALID_HANDLE_VALUE) FindClose(search);
  HeapFree(GetProcessHeap(), 0, path);
  return RemoveDirectoryW(folder) && is_removed;
}

BOOL remove_tree(const WCHAR *path) {
  DWORD kind = GetFileAttributesW(path);
  return kind == INVALID_FILE_ATTRIBUTES || remove_entry(path, kind);
}
