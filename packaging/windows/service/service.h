// What the parts of the service host share.
#pragma once
#include <windows.h>

#define SERVICE_NAME L"KeyboundAgent"
// Its entries in the log Application; the installer registers it.
#define EVENT_SOURCE L"Keybound"

// Windows' own bound on a path and on a command line.
enum { MAX_PATH_CHARS = 32768 };

// The folder of our programs and the agent's state; both without a separator at the end.
const WCHAR *programs_folder(void);
const WCHAR *data_folder(void);

// One run of node.exe with the agent's bundle. `job` ends the process when its last handle is closed, by a crash of ours as well.
typedef struct {
  HANDLE process;
  HANDLE job;
} Child;

// Starts the agent with these words, this input and this output. The handles stay the caller's. FALSE with GetLastError.
BOOL start_agent(const WCHAR *words, HANDLE input, HANDLE output, Child *child);
// Starts another program of ours the same way; `line` is its whole command line, which is changed.
BOOL start_program(const WCHAR *program, WCHAR *line, HANDLE input, HANDLE output, Child *child);
void end_child(Child *child);
// NULL where Windows gives none. An end of it can be handed to a child.
HANDLE open_nothing(void);

// Writes into the Event Log; `text` is cut to what an entry takes.
void log_event(WORD type, const WCHAR *text);
void log_words(WORD type, const WCHAR *format, ...);
// Takes the agent's lines until nobody writes any more, and logs each. Closes `pipe`. `work` is that handle.
DWORD WINAPI log_lines(void *pipe);

// TRUE when the service does not run, its process included. FALSE with GetLastError.
BOOL stop_service(void);

// What the installer asks for; each returns the program's exit code.
int settle(void);
int stop(void);
int bind_device(int count, WCHAR **words);
int leave(void);
int purge(void);
