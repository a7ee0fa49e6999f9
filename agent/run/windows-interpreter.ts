// Which program runs a job on Windows. All are where only administrators can put programs.
import { readdirSync } from "node:fs";
import type { JobBody, Shell } from "../../protocol/job-body.ts";
import { refuse } from "../../protocol/refusal.ts";
import type { WindowsFolders } from "./environment.ts";
import { isExecutable } from "./ask-program.ts";
import { type Interpreter, powershellArgs } from "./interpreter.ts";
import { batchLine } from "./windows-command-line.ts";

/** Throws `shell-absent`, or `platform-lacks` for arguments that it cannot be given. */
export function windowsInterpreter({ shell, args }: JobBody, folders: WindowsFolders): Interpreter {
  const found = KNOWN[shell]?.(folders);
  if (found === undefined || !isExecutable(found.path)) throw refuse("shell-absent", shell);
  // Made for its refusal alone: the job is not claimed yet.
  found.line?.({ source: "", args });
  return found;
}

const KNOWN: Partial<Record<Shell, (folders: WindowsFolders) => Interpreter>> = {
  cmd: ({ systemRoot }) => {
    const path = `${systemRoot}\\System32\\cmd.exe`;
    return { path, args: (source) => [source], extension: ".cmd", line: (words) => batchLine(path, words) };
  },
  powershell: ({ systemRoot }) => ({
    path: `${systemRoot}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`,
    args: powershellArgs,
    extension: ".ps1",
  }),
  pwsh: ({ programFiles }) => ({
    path: `${programFiles}\\PowerShell\\7\\pwsh.exe`,
    args: powershellArgs,
    extension: ".ps1",
  }),
  // Its output would be in the code page of the country otherwise.
  python: ({ programFiles }) => ({
    path: `${programFiles}\\${newestPython(programFiles)}\\python.exe`,
    args: (source) => ["-X", "utf8", source],
    extension: ".py",
  }),
};

/** The folder of the newest Python that was installed for all users, such as `Python313`. */
function newestPython(programFiles: string): string {
  const minors = readdirSync(programFiles).flatMap((name) => /^Python3([0-9]{1,3})$/.exec(name)?.[1] ?? []);
  return `Python3${minors.toSorted((left, right) => Number(right) - Number(left))[0] ?? ""}`;
}

/** As Windows reads names: dots and spaces at the end do not count, nor does the name of a stream. */
export function isBatchFile(path: string): boolean {
  return /\.(bat|cmd)[. ]*(:[^\\/]*)?$/i.test(path);
}
