// Who could have put there what lies in PROGRAM\versions: read of owners and access lists, by SID.
#include "versions.h"
#include <aclapi.h>
#include <sddl.h>
#include <stdio.h>

// What lets somebody put, change or remove something, or turn a folder into a link.
static const ACCESS_MASK WRITING = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES | FILE_DELETE_CHILD |
                                   DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL;

// Versions are folders of files: what lies deeper is nobody's of ours, and nothing leads there.
enum { DEPTH = 2 };

// Of PROGRAM. Whoever owns it could change the packaged version as well.
static BYTE program_owner[SECURITY_MAX_SID_SIZE];

static BOOL read_program_owner(void) {
  PSID owner;
  PSECURITY_DESCRIPTOR read;
  const SECURITY_INFORMATION what = OWNER_SECURITY_INFORMATION;
  if (GetNamedSecurityInfoW(programs_folder(), SE_FILE_OBJECT, what, &owner, NULL, NULL, NULL, &read) != ERROR_SUCCESS) return FALSE;
  BOOL is_read = CopySid(sizeof program_owner, program_owner, owner);
  LocalFree(read);
  return is_read;
}

static BOOL is_windows_installer(PSID who) {
  PSID installer;
  // S-1-5-80-…: TrustedInstaller, which owns what Windows came with.
  if (!ConvertStringSidToSidW(L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", &installer)) return FALSE;
  BOOL is = EqualSid(who, installer);
  LocalFree(installer);
  return is;
}

static BOOL is_trusted(PSID who) {
  return EqualSid(who, program_owner) || IsWellKnownSid(who, WinLocalSystemSid) || IsWellKnownSid(who, WinBuiltinAdministratorsSid) ||
         is_windows_installer(who);
}

// An entry of another kind than these is not understood, and so lets somebody in.
static BOOL is_harmless(const ACE_HEADER *entry) {
  if (entry->AceType == ACCESS_DENIED_ACE_TYPE) return TRUE;
  if (entry->AceType != ACCESS_ALLOWED_ACE_TYPE) return FALSE;
  const ACCESS_ALLOWED_ACE *allowed = (const ACCESS_ALLOWED_ACE *)entry;
  PSID who = (PSID)&allowed->SidStart;
  if ((allowed->Mask & WRITING) == 0 || is_trusted(who)) return TRUE;
  // Whoever makes something in a folder where nobody else may.
  return (entry->AceFlags & INHERIT_ONLY_ACE) && IsWellKnownSid(who, WinCreatorOwnerSid);
}

static BOOL lets_nobody_in(PACL list) {
  ACL_SIZE_INFORMATION size;
  void *entry;
  // Without a list anybody may do anything.
  if (list == NULL || !GetAclInformation(list, &size, sizeof size, AclSizeInformation)) return FALSE;
  for (DWORD i = 0; i < size.AceCount; i++)
    if (!GetAce(list, i, &entry) || !is_harmless(entry)) return FALSE;
  return TRUE;
}

static BOOL is_ours(const WCHAR *path, DWORD kind) {
  PSID owner;
  PACL list;
  PSECURITY_DESCRIPTOR read;
  const SECURITY_INFORMATION what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  if (kind & FILE_ATTRIBUTE_REPARSE_POINT) return FALSE;
  DWORD code = GetNamedSecurityInfoW((WCHAR *)path, SE_FILE_OBJECT, what, &owner, NULL, &list, NULL, &read);
  // The agent that runs has removed it meanwhile.
  if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) return TRUE;
  if (code != ERROR_SUCCESS) return FALSE;
  BOOL is = is_trusted(owner) && lets_nobody_in(list);
  LocalFree(read);
  return is;
}

// Looks at `path`, and in it; leaves there the first that is not ours.
static BOOL is_all_ours(WCHAR *path, DWORD kind, int depth) {
  WIN32_FIND_DATAW entry;
  size_t length = wcslen(path);
  if (!is_ours(path, kind)) return FALSE;
  if (!(kind & FILE_ATTRIBUTE_DIRECTORY) || depth == 0) return TRUE;
  swprintf(path + length, MAX_PATH_CHARS - length, L"\\*");
  HANDLE search = FindFirstFileW(path, &entry);
  BOOL is = search != INVALID_HANDLE_VALUE || GetLastError() == ERROR_PATH_NOT_FOUND;
  while (is && search != INVALID_HANDLE_VALUE) {
    if (wcscmp(entry.cFileName, L".") != 0 && wcscmp(entry.cFileName, L"..") != 0) {
      swprintf(path + length, MAX_PATH_CHARS - length, L"\\%ls", entry.cFileName);
      is = is_all_ours(path, entry.dwFileAttributes, depth - 1);
    }
    if (!is || !FindNextFileW(search, &entry)) break;
  }
  if (search != INVALID_HANDLE_VALUE) FindClose(search);
  if (is) path[length] = L'\0';
  return is;
}

BOOL are_versions_ours(WCHAR *strange) {
  versions_path(strange, L"");
  strange[wcslen(strange) - 1] = L'\0';
  DWORD kind = GetFileAttributesW(strange);
  if (kind != INVALID_FILE_ATTRIBUTES) return read_program_owner() && is_all_ours(strange, kind, DEPTH);
  strange[0] = L'\0';
  return FALSE;
}
