// The Windows service: starts the agent, starts it again when it ends by itself, and stops it when Windows says so.
//
// Node cannot be a service by itself. This program is what Windows starts and asks; the agent is its child, in a Job Object that
// ends with us. To stop the agent we close its standard input, which it watches: Windows has no signal for a program without a
// console. What it may still do then is end its jobs and send their receipts; if that takes too long it is killed.
//
//   keybound-service                         run as the service; only Windows can start it so
//   keybound-service settle                  what the installer cannot say of the service, and the state folder
//   keybound-service bind FILE PIN REBIND    bind the device; an empty word stands for none
//   keybound-service bind-if-there FILE PIN REBIND   the same, and nothing where there is no such file
//   keybound-service stop                    stop the service, and wait until it is gone
//   keybound-service leave                   end the binding of an agent that has been stopped, and tell its owner
//   keybound-service purge                   remove the state of an agent that has been stopped
#include "service.h"
#include <stdio.h>

enum {
  // 5 s for jobs to tidy up, 2 s to die, 3 s to send receipts (agent/limits.ts), and as much again.
  STOP_MS = 25 * 1000,
  STOP_LOOK_MS = 500,
  LAST_LINES_MS = 2000,
  FIRST_PAUSE_MS = 1000,
  LONGEST_PAUSE_MS = 5 * 60 * 1000,
  // An agent that has run this long was well; its next end is a first one.
  STEADY_MS = 10 * 60 * 1000,
};

static SERVICE_STATUS_HANDLE service;
static HANDLE stopping;
// What is held of a running agent: our end of its input, which nobody else has, so that closing it is heard; and who reads it.
typedef struct {
  Child child;
  HANDLE input;
  HANDLE reader;
} Agent;

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

static BOOL start(Agent *agent) {
  HANDLE their_input = NULL, their_output = NULL, output = NULL;
  WCHAR words[MAX_PATH_CHARS];
  *agent = (Agent){0};
  swprintf(words, MAX_PATH_CHARS, L"run --until-input-ends --state \"%ls\\state\"", data_folder());
  BOOL is_started = CreatePipe(&their_input, &agent->input, NULL, 0) && CreatePipe(&output, &their_output, NULL, 0) &&
                    start_agent(words, their_input, their_output, &agent->child);
  DWORD code = GetLastError();
  if (their_input != NULL) CloseHandle(their_input);
  if (their_output != NULL) CloseHandle(their_output);
  if (is_started) agent->reader = CreateThread(NULL, 0, log_lines, output, 0, NULL);
  // Without a reader the agent fails to write, and ends.
  if (agent->reader == NULL && output != NULL) CloseHandle(output);
  if (!is_started && agent->input != NULL) CloseHandle(agent->input);
  SetLastError(code);
  return is_started;
}

// Its last lines are read as well, unless somebody that it left behind holds its output open.
static void end(Agent *agent) {
  end_child(&agent->child);
  if (agent->input != NULL) CloseHandle(agent->input);
  if (agent->reader == NULL) return;
  WaitForSingleObject(agent->reader, LAST_LINES_MS);
  CloseHandle(agent->reader);
}

static void stop_agent(Agent *agent) {
  CloseHandle(agent->input);
  agent->input = NULL;
  DWORD waited = 0, checkpoint = 2;
  while (waited < STOP_MS && WaitForSingleObject(agent->child.process, STOP_LOOK_MS) == WAIT_TIMEOUT) {
    waited += STOP_LOOK_MS;
    say_state(SERVICE_STOP_PENDING, checkpoint++);
  }
  if (waited >= STOP_MS) log_words(EVENTLOG_WARNING_TYPE, L"the agent did not stop within %d ms and is killed", STOP_MS);
  end(agent);
}

// FALSE when we were asked to stop.
static BOOL run_once(void) {
  Agent agent;
  if (!start(&agent)) {
    log_words(EVENTLOG_ERROR_TYPE, L"the agent could not be started: error %lu of Windows", GetLastError());
    return TRUE;
  }
  HANDLE either[] = {stopping, agent.child.process};
  if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0) {
    stop_agent(&agent);
    return FALSE;
  }
  DWORD code = 0;
  GetExitCodeProcess(agent.child.process, &code);
  end(&agent);
  log_words(EVENTLOG_ERROR_TYPE, L"the agent ended by itself with exit code %lu, and will be started again", code);
  return TRUE;
}

static void supervise(void) {
  DWORD pause = FIRST_PAUSE_MS;
  for (;;) {
    ULONGLONG began = GetTickCount64();
    if (!run_once()) return;
    if (GetTickCount64() - began >= STEADY_MS) pause = FIRST_PAUSE_MS;
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
  if (count == 2 && wcscmp(words[1], L"settle") == 0) return settle();
  if (count == 2 && wcscmp(words[1], L"purge") == 0) return purge();
  if (count == 2 && wcscmp(words[1], L"stop") == 0) return stop();
  if (count == 2 && wcscmp(words[1], L"leave") == 0) return leave();
  if (count >= 2) return bind_device(count, words);
  SERVICE_TABLE_ENTRYW table[] = {{SERVICE_NAME, service_main}, {NULL, NULL}};
  if (StartServiceCtrlDispatcherW(table)) return 0;
  fputs("this program is started by Windows, as the service KeyboundAgent\n", stderr);
  return 2;
}
