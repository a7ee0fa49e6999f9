// Who may read the agent's folder: SYSTEM and the Administrators, said by SID so that the system's language does not matter.
//
// A folder below %ProgramData% can be made by anybody before the agent comes. So one that is there already must belong to
// somebody who could have made it anyway; a stranger's is not taken over, since whoever owns a folder can change its list.
#include "launcher.h"
#include <aclapi.h>
#include <sddl.h>
#include <stdio.h>

#define FOR_ADMINISTRATORS L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
// The folder above it holds the public status as well.
#define FOR_ALL_TO_READ FOR_ADMINISTRATORS L"(A;OICI;0x1200a9;;;BU)"

static PSID own_sid(HANDLE token) {
  static BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  DWORD size;
  HANDLE own = token;
  if (own == NULL && !OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &own)) return NULL;
  BOOL is_read = GetTokenInformation(own, TokenUser, room, sizeof room, &size);
  if (token == NULL) CloseHandle(own);
  return is_read ? ((TOKEN_USER *)room)->User.Sid : NULL;
}

static BOOL is_administrator(void) {
  BYTE room[SECURITY_MAX_SID_SIZE];
  DWORD size = sizeof room;
  BOOL is = FALSE;
  return CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, room, &size) && CheckTokenMembership(NULL, room, &is) && is;
}

// The list in words. Whoever runs an agent without being an administrator keeps a folder for themselves; an administrator's
// own name does not get in, or that person's programs without elevation could read it.
static PSECURITY_DESCRIPTOR described(const WCHAR *words) {
  WCHAR text[512];
  WCHAR *own = NULL;
  PSECURITY_DESCRIPTOR made = NULL;
  if (is_administrator()) swprintf(text, 512, L"O:BA%ls", words);
  else if (!ConvertSidToStringSidW(own_sid(NULL), &own)) return NULL;
  else swprintf(text, 512, L"%ls(A;OICI;FA;;;%ls)", words, own);
  LocalFree(own);
  return ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &made, NULL) ? made : NULL;
}

static BOOL is_trusted(PSID owner) {
  PSID installer = NULL;
  // S-1-5-80-…: TrustedInstaller, which owns what Windows came with.
  ConvertStringSidToSidW(L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", &installer);
  BOOL is = IsWellKnownSid(owner, WinLocalSystemSid) || IsWellKnownSid(owner, WinBuiltinAdministratorsSid) ||
            EqualSid(owner, own_sid(NULL)) || (installer != NULL && EqualSid(owner, installer));
  LocalFree(installer);
  return is;
}

// ERROR_SUCCESS, ERROR_INVALID_OWNER where it is a stranger's, ERROR_REPARSE_TAG_INVALID where it leads elsewhere.
static DWORD check_owner(const WCHAR *path) {
  PSID owner;
  PSECURITY_DESCRIPTOR read;
  DWORD kind = GetFileAttributesW(path);
  if (kind == INVALID_FILE_ATTRIBUTES) return GetLastError();
  if (kind & FILE_ATTRIBUTE_REPARSE_POINT) return ERROR_REPARSE_TAG_INVALID;
  DWORD code = GetNamedSecurityInfoW(path, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &read);
  if (code != ERROR_SUCCESS) return code;
  BOOL is = is_trusted(owner);
  LocalFree(read);
  return is ? ERROR_SUCCESS : ERROR_INVALID_OWNER;
}

static DWORD check_folder(const WCHAR *folder) {
  DWORD kind = GetFileAttributesW(folder);
  return kind != INVALID_FILE_ATTRIBUTES && !(kind & FILE_ATTRIBUTE_DIRECTORY) ? ERROR_DIRECTORY : check_owner(folder);
}

// What lies in it may have been put there while others could: nothing of a stranger's is taken for ours.
static DWORD check_content(const WCHAR *folder) {
  static WCHAR path[32768 + MAX_PATH];
  WIN32_FIND_DATAW entry;
  DWORD code = ERROR_SUCCESS;
  swprintf(path, 32768 + MAX_PATH, L"%ls\\*", folder);
  HANDLE search = FindFirstFileW(path, &entry);
  if (search == INVALID_HANDLE_VALUE) return GetLastError();
  do {
    if (wcscmp(entry.cFileName, L".") == 0 || wcscmp(entry.cFileName, L"..") == 0) continue;
    swprintf(path, 32768 + MAX_PATH, L"%ls\\%ls", folder, entry.cFileName);
    code = check_owner(path);
  } while (code == ERROR_SUCCESS && FindNextFileW(search, &entry));
  FindClose(search);
  return code;
}

// Made with its list from the first moment, or found and checked.
static DWORD make_folder(const WCHAR *folder, const WCHAR *words) {
  SECURITY_ATTRIBUTES security = {sizeof security, described(words), FALSE};
  if (security.lpSecurityDescriptor == NULL) return GetLastError();
  DWORD code = CreateDirectoryW(folder, &security) ? ERROR_SUCCESS : GetLastError();
  LocalFree(security.lpSecurityDescriptor);
  return code == ERROR_ALREADY_EXISTS ? check_folder(folder) : code;
}

// The list, and for administrators the owner: an administrator's programs without elevation could change what is that person's.
static DWORD set_list(const WCHAR *folder) {
  PSECURITY_DESCRIPTOR wanted = described(FOR_ADMINISTRATORS);
  SECURITY_INFORMATION what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
  BOOL is_present, is_default;
  PSID owner;
  PACL list;
  if (wanted == NULL || !GetSecurityDescriptorDacl(wanted, &is_present, &list, &is_default) ||
      !GetSecurityDescriptorOwner(wanted, &owner, &is_default))
    return GetLastError();
  if (owner != NULL) what |= OWNER_SECURITY_INFORMATION;
  return SetNamedSecurityInfoW((WCHAR *)folder, SE_FILE_OBJECT, what, owner, NULL, list, NULL);
}

int make_private(const WCHAR *folder) {
  WCHAR above[32768];
  DWORD code = ERROR_SUCCESS;
  lstrcpynW(above, folder, 32768);
  WCHAR *cut = wcsrchr(above, L'\\');
  if (cut != NULL && cut > above && cut[-1] != L':') {
    *cut = L'\0';
    code = make_folder(above, FOR_ALL_TO_READ);
  }
  if (code == ERROR_SUCCESS) code = make_folder(folder, FOR_ADMINISTRATORS);
  if (code == ERROR_SUCCESS) code = set_list(folder);
  if (code == ERROR_SUCCESS) code = check_content(folder);
  if (code == ERROR_SUCCESS) return 0;
  fprintf(stderr, "%lu\n", code);
  return 1;
}

static BOOL grant(PSID user, const WCHAR *path, DWORD rights, DWORD inheritance) {
  PACL before, after;
  PSECURITY_DESCRIPTOR read;
  EXPLICIT_ACCESSW entry = {.grfAccessPermissions = rights, .grfAccessMode = GRANT_ACCESS, .grfInheritance = inheritance};
  BuildTrusteeWithSidW(&entry.Trustee, user);
  DWORD code =
      GetNamedSecurityInfoW(path, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &before, NULL, &read);
  if (code == ERROR_SUCCESS) code = SetEntriesInAclW(1, &entry, before, &after);
  if (code == ERROR_SUCCESS)
    code = SetNamedSecurityInfoW((WCHAR *)path, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, after, NULL);
  SetLastError(code);
  return code == ERROR_SUCCESS;
}

BOOL let_read(HANDLE token, const WCHAR *folder, const WCHAR *begun) {
  PSID user = own_sid(token);
  return user != NULL && grant(user, folder, FILE_GENERIC_READ | FILE_GENERIC_EXECUTE, SUB_CONTAINERS_AND_OBJECTS_INHERIT) &&
         (begun == NULL || grant(user, begun, FILE_GENERIC_READ | FILE_GENERIC_WRITE, NO_INHERITANCE));
}
