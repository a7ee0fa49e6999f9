// The Windows service: starts the agent, starts it again when it ends by itself, and stops it when Windows says so.
//
// Node cannot be a service by itself. This program is what Windows starts and asks; the agent is its child, in a Job Object that
// ends with us. To stop the agent we close its standard input, which it watches: Windows has no signal for a program without a
// console. What it may still do then is end its jobs and send their receipts; if that takes too long it is killed.
//
// Which version of the agent that is, is chosen anew at each start (versions.c).
//
//   keybound-service                         run as the service; only Windows can start it so
//   keybound-service agent WORD...           run the agent, in the version that has proved itself
//   keybound-service check-versions          whether versions that come by updates are used here, or what keeps them from it
//   keybound-service settle                  what the installer cannot say of the service, and the state folder
//   keybound-service bind FILE PIN REBIND    bind the device; an empty word stands for none
//   keybound-service bind-if-there FILE PIN REBIND   the same, and nothing where there is no such file
//   keybound-service stop                    stop the service, and wait until it is gone
//   keybound-service leave                   end the binding of an agent that has been stopped, and tell its owner
//   keybound-service drop-versions           remove the versions that came by updates, of an agent that has been stopped
//   keybound-service purge                   remove the state of an agent that has been stopped
#include "service.h"
#include <stdio.h>

enum {
  // 5 s for jobs to tidy up, 2 s to die, 3 s to send receipts (agent/limits.ts), and as much again.
  STOP_MS = 25 * 1000,
  STOP_LOOK_MS = 500,
  FIRST_PAUSE_MS = 1000,
  LONGEST_PAUSE_MS = 5 * 60 * 1000,
  // An agent that has run this long was well; its next end is a first one.
  STEADY_MS = 10 * 60 * 1000,
};

static SERVICE_STATUS_HANDLE service;
static HANDLE stopping;

typedef enum { ENDED_WITH_US, ENDED_IN_ORDER, FAILED } End;

static void say_state(DWORD state, DWORD checkpoint) {
  SERVICE_STATUS status = {
      .dwServiceType = SERVICE_WIN32_OWN_PROCESS,
      .dwCurrentState = state,
      .dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN : 0,
      .dwCheckPoint = checkpoint,
      .dwWaitHint = state == SERVICE_STOP_PENDING ? 4 * STOP_LOOK_MS : 0,
  };
  SetServiceStatus(service, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context) {
  (void)type, (void)data, (void)context;
  if (code == SERVICE_CONTROL_INTERROGATE) return NO_ERROR;
  if (code != SERVICE_CONTROL_STOP && code != SERVICE_CONTROL_SHUTDOWN && code != SERVICE_CONTROL_PRESHUTDOWN)
    return ERROR_CALL_NOT_IMPLEMENTED;
  say_state(SERVICE_STOP_PENDING, 1);
  SetEvent(stopping);
  return NO_ERROR;
}

static void stop_agent(LoggedAgent *agent) {
  CloseHandle(agent->input);
  agent->input = NULL;
  DWORD waited = 0, checkpoint = 2;
  while (waited < STOP_MS && WaitForSingleObject(agent->child.process, STOP_LOOK_MS) == WAIT_TIMEOUT) {
    waited += STOP_LOOK_MS;
    say_state(SERVICE_STOP_PENDING, checkpoint++);
  }
  if (waited >= STOP_MS) log_words(EVENTLOG_WARNING_TYPE, L"the agent did not stop within %d ms and is killed", STOP_MS);
  end_logged(agent);
}

// An end in order that we did not ask for is the agent's own: another version is to be started.
static End end_of(LoggedAgent *agent) {
  DWORD code = 0;
  GetExitCodeProcess(agent->child.process, &code);
  end_logged(agent);
  if (code == 0) log_words(EVENTLOG_INFORMATION_TYPE, L"the agent ended in order, and will be started again");
  else log_words(EVENTLOG_ERROR_TYPE, L"the agent ended by itself with exit code %lu, and will be started again", code);
  return code == 0 ? ENDED_IN_ORDER : FAILED;
}

static End serve(const WCHAR *folder) {
  static WCHAR words[MAX_PATH_CHARS];
  LoggedAgent agent;
  swprintf(words, MAX_PATH_CHARS, L"run --until-input-ends --state \"%ls\\state\"", data_folder());
  if (!start_logged(&agent, folder, words, TRUE)) {
    log_words(EVENTLOG_ERROR_TYPE, L"the agent could not be started: error %lu of Windows", GetLastError());
    return FAILED;
  }
  HANDLE either[] = {stopping, agent.child.process};
  if (WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0) return end_of(&agent);
  stop_agent(&agent);
  return ENDED_WITH_US;
}

static void supervise(void) {
  static WCHAR folder[MAX_PATH_CHARS];
  DWORD pause = FIRST_PAUSE_MS;
  while (choose_to_serve(folder, stopping)) {
    ULONGLONG began = GetTickCount64();
    End end = serve(folder);
    if (end == ENDED_WITH_US) return;
    if (end == ENDED_IN_ORDER || GetTickCount64() - began >= STEADY_MS) pause = FIRST_PAUSE_MS;
    if (WaitForSingleObject(stopping, pause) == WAIT_OBJECT_0) return;
    pause = pause * 2 > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause * 2;
  }
}

static void WINAPI service_main(DWORD count, WCHAR **words) {
  (void)count, (void)words;
  service = RegisterServiceCtrlHandlerExW(SERVICE_NAME, control, NULL);
  stopping = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (service == NULL || stopping == NULL) ExitProcess(1);
  say_state(SERVICE_RUNNING, 0);
  supervise();
  say_state(SERVICE_STOPPED, 0);
  // At once: an uninstall removes our file next.
  ExitProcess(0);
}

int wmain(int count, WCHAR **words) {
  // Nothing is loaded from where we are started, or from the search path.
  SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (count >= 2 && wcscmp(words[1], L"agent") == 0) return run_for_person();
  if (count == 2 && wcscmp(words[1], L"check-versions") == 0) return check_versions();
  if (count == 2 && wcscmp(words[1], L"settle") == 0) return settle();
  if (count == 2 && wcscmp(words[1], L"drop-versions") == 0) return drop_versions();
  if (count == 2 && wcscmp(words[1], L"purge") == 0) return purge();
  if (count == 2 && wcscmp(words[1], L"stop") == 0) return stop();
  if (count == 2 && wcscmp(words[1], L"leave") == 0) return leave();
  if (count >= 2) return bind_device(count, words);
  SERVICE_TABLE_ENTRYW table[] = {{SERVICE_NAME, service_main}, {NULL, NULL}};
  if (StartServiceCtrlDispatcherW(table)) return 0;
  fputs("this program is started by Windows, as the service KeyboundAgent\n", stderr);
  return 2;
}
