/* An agent's answers without the agent: what the file beside it says that is named for the last word of the command line. */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

int wmain(int count, wchar_t **words)
{
	wchar_t path[MAX_PATH];
	if (count < 2 || GetModuleFileNameW(NULL, path, MAX_PATH) == 0)
		return 2;
	wchar_t *name = wcsrchr(path, L'\\');
	if (name == NULL || name + 1 + wcslen(words[count - 1]) + 5 > path + MAX_PATH)
		return 2;
	wcscpy(name + 1, words[count - 1]);
	wcscat(name + 1, L".said");
	FILE *said = _wfopen(path, L"rb");
	if (said == NULL)
		return 1;
	for (int byte = fgetc(said); byte != EOF; byte = fgetc(said))
		putchar(byte);
	return 0;
}
