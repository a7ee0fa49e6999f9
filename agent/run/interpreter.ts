// Which program runs a job, by its absolute path, and how it is told where the source is. Nothing is looked up in a PATH that
// somebody else may have set.
import { accessSync, constants } from "node:fs";
import type { JobBody, Shell } from "../../protocol/job-body.ts";
import { refuse } from "../../protocol/refusal.ts";

export type Interpreter = {
  readonly path: string;
  /** Arguments for a source in this file; `exec` has none. */
  readonly args: (source: string) => readonly string[];
  /** What the source file's name must end in, where the interpreter cares. */
  readonly extension: string;
};

const POSIX_FOLDERS = ["/usr/local/bin", "/usr/bin", "/bin", "/opt/homebrew/bin"];

const POSIX_NAMES: Partial<Record<Shell, readonly string[]>> = {
  sh: ["sh"],
  bash: ["bash"],
  zsh: ["zsh"],
  pwsh: ["pwsh"],
  python: ["python3", "python"],
};

/** The interpreter of a job on this platform. Throws `shell-absent` where it is not installed. `systemRoot` is Windows'. */
export function findInterpreter(body: JobBody, platform: NodeJS.Platform, systemRoot: string): Interpreter {
  if (body.shell === "exec") return execOf(body);
  return platform === "win32" ? windowsInterpreter(body.shell, systemRoot) : posixInterpreter(body.shell);
}

function execOf({ args }: JobBody): Interpreter {
  const [path = "", ...rest] = args;
  const isAbsolute = path.startsWith("/") || /^[A-Za-z]:\\/.test(path);
  if (!isAbsolute || !isExecutable(path))
    throw refuse("shell-absent", `${path.slice(0, 120)} is no absolute path of a program`);
  return { path, args: () => rest, extension: "" };
}

function posixInterpreter(shell: Shell): Interpreter {
  const names = POSIX_NAMES[shell];
  const candidates =
    shell === "sh" ? ["/bin/sh"] : POSIX_FOLDERS.flatMap((folder) => names?.map((name) => `${folder}/${name}`) ?? []);
  const path = candidates.find(isExecutable);
  if (path === undefined) throw refuse("shell-absent", shell);
  return { path, args: shell === "pwsh" ? powershellArgs : (source) => [source], extension: "" };
}

function windowsInterpreter(shell: Shell, systemRoot: string): Interpreter {
  const known: Partial<Record<Shell, Interpreter>> = {
    cmd: { path: `${systemRoot}\\System32\\cmd.exe`, args: (source) => ["/d", "/q", "/c", source], extension: ".cmd" },
    powershell: {
      path: `${systemRoot}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`,
      args: powershellArgs,
      extension: ".ps1",
    },
    pwsh: { path: "C:\\Program Files\\PowerShell\\7\\pwsh.exe", args: powershellArgs, extension: ".ps1" },
  };
  const found = known[shell];
  if (found === undefined || !isExecutable(found.path)) throw refuse("shell-absent", shell);
  return found;
}

// Never a profile, never a prompt; the policy is bypassed because the signature has decided.
function powershellArgs(source: string): readonly string[] {
  return ["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", source];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // The one answer that accessSync gives for "no".
    return false;
  }
}
