// Stops the service, and returns when its process has gone: what lies open until then cannot be removed.
//
// The installer stops it as well, before us. Windows waits for that for 30 s, Wine not at all, and neither tells whether it was done.
#include "service.h"

enum {
  // Longer than host.c needs to stop; the process goes right after.
  STOPPED_MS = 35 * 1000,
  GONE_MS = 10 * 1000,
  LOOK_MS = 100,
};

static BOOL wait_stopped(SC_HANDLE service) {
  for (DWORD waited = 0; waited < STOPPED_MS; waited += LOOK_MS) {
    SERVICE_STATUS status;
    if (!QueryServiceStatus(service, &status)) return FALSE;
    if (status.dwCurrentState == SERVICE_STOPPED) return TRUE;
    // A service that is starting takes no order yet; it is asked again.
    if (status.dwCurrentState != SERVICE_STOP_PENDING) ControlService(service, SERVICE_CONTROL_STOP, &status);
    Sleep(LOOK_MS);
  }
  SetLastError(ERROR_SERVICE_REQUEST_TIMEOUT);
  return FALSE;
}

static BOOL stop_and_wait(SC_HANDLE service) {
  SERVICE_STATUS_PROCESS status;
  DWORD size;
  if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status, &size)) return FALSE;
  HANDLE process = status.dwProcessId == 0 ? NULL : OpenProcess(SYNCHRONIZE, FALSE, status.dwProcessId);
  BOOL is_stopped = wait_stopped(service);
  DWORD code = GetLastError();
  if (process != NULL) {
    if (is_stopped) WaitForSingleObject(process, GONE_MS);
    CloseHandle(process);
  }
  SetLastError(code);
  return is_stopped;
}

BOOL stop_service(void) {
  SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
  if (manager == NULL) return FALSE;
  SC_HANDLE service = OpenServiceW(manager, SERVICE_NAME, SERVICE_STOP | SERVICE_QUERY_STATUS);
  BOOL is_stopped = service == NULL ? GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST : stop_and_wait(service);
  DWORD code = GetLastError();
  if (service != NULL) CloseServiceHandle(service);
  CloseServiceHandle(manager);
  SetLastError(code);
  return is_stopped;
}
