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

// What a program of ours reads and writes. The handles stay the caller's.
typedef struct {
  HANDLE input, output, errors;
} Streams;

// Starts the agent of this folder with these words. Without `streams` it has the console, the streams and the current folder of whoever
// started us. FALSE with GetLastError.
BOOL start_agent(const WCHAR *folder, const WCHAR *words, const Streams *streams, Child *child);
// Starts another program of ours the same way; `line` is its whole command line, which is changed.
BOOL start_program(const WCHAR *program, WCHAR *line, const Streams *streams, Child *child);
void end_child(Child *child);
// NULL where Windows gives none. An end of it can be handed to a child.
HANDLE open_nothing(void);

// Writes into the Event Log; `text` is cut to what an entry takes.
void log_event(WORD type, const WCHAR *text);
void log_words(WORD type, const WCHAR *format, ...);
// Takes the agent's lines until nobody writes any more, and logs each. Closes `pipe`. `work` is that handle.
DWORD WINAPI log_lines(void *pipe);

// An agent whose lines go into the Event Log. `input` is our end of its input, which nobody else has, so that closing it is heard.
typedef struct {
  Child child;
  HANDLE input;
  HANDLE reader;
} LoggedAgent;

// FALSE with GetLastError. Without an input of its own it reads nothing.
BOOL start_logged(LoggedAgent *agent, const WCHAR *folder, const WCHAR *words, BOOL has_input);
// Ends it, if it has not ended.
void end_logged(LoggedAgent *agent);

// Sets `folder`, of MAX_PATH_CHARS, to the one whose agent is to run: of what has proved itself, with nothing tried and nothing counted.
void choose_version(WCHAR *folder);
// The same for the service: tries what is on trial, and counts the start. FALSE where it was asked to stop meanwhile.
BOOL choose_to_serve(WCHAR *folder, HANDLE stopping);

// Removes a file, or a folder with all that is in it; a link is removed, not followed. TRUE when nothing of it is left.
BOOL remove_tree(const WCHAR *path);

// TRUE when the service does not run, its process included. FALSE with GetLastError.
BOOL stop_service(void);

// What a person or the agent asks for; each returns the program's exit code.
int run_for_person(void);
int check_versions(void);

// What the installer asks for; the same.
int settle(void);
int stop(void);
int bind_device(int count, WCHAR **words);
int leave(void);
int drop_versions(void);
int purge(void);
