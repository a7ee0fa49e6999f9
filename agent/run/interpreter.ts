// Which program runs a job, by its absolute path, and how it is told where the source is. Nothing is looked up in a PATH that
// somebody else may have set.
import { realpathSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { JobBody, Shell } from "../../protocol/job-body.ts";
import { refuse } from "../../protocol/refusal.ts";
import { isExecutable } from "./ask-program.ts";
import type { WindowsFolders } from "./environment.ts";
import { isBatchFile, windowsInterpreter } from "./windows-interpreter.ts";

export type Interpreter = {
  readonly path: string;
  /** Arguments for a source in this file; `exec` has none. */
  readonly args: (source: string) => readonly string[];
  /** What the source file's name must end in, where the interpreter cares. */
  readonly extension: string;
  /** Windows: the whole command line, of a program that does not take it apart as most do. */
  readonly line?: (words: { readonly source: string; readonly args: readonly string[] }) => string;
  /** Arguments with which it says its version; absent where it has none, or is a program of the job's own choice. */
  readonly askVersion?: readonly string[];
};

export type InterpreterContext = {
  readonly platform: NodeJS.Platform;
  readonly windows: WindowsFolders;
  /** The agent's own user. */
  readonly uid: number;
};

const POSIX_FOLDERS = ["/usr/local/bin", "/usr/bin", "/bin", "/opt/homebrew/bin"];

const POSIX_NAMES: Partial<Record<Shell, readonly string[]>> = {
  sh: ["sh"],
  bash: ["bash"],
  zsh: ["zsh"],
  pwsh: ["pwsh"],
  python: ["python3", "python"],
};

/** The interpreter of a job on this platform. Throws `shell-absent` where it is not installed. */
export function findInterpreter(body: JobBody, { platform, windows, uid }: InterpreterContext): Interpreter {
  if (body.shell === "exec") return execOf(body, platform);
  return platform === "win32" ? windowsInterpreter(body, windows) : posixInterpreter(body.shell, uid);
}

function execOf({ args }: JobBody, platform: NodeJS.Platform): Interpreter {
  const [path = "", ...rest] = args;
  // Windows would hand it to cmd, which takes arguments apart by rules of its own.
  if (platform === "win32" && isBatchFile(path)) throw refuse("platform-lacks", "a batch file without --shell cmd");
  const isAbsolute = path.startsWith("/") || /^[A-Za-z]:\\/.test(path);
  if (!isAbsolute || !isExecutable(path))
    throw refuse("shell-absent", `${path.slice(0, 120)} is no absolute path of a program`);
  return { path, args: () => rest, extension: "" };
}

function posixInterpreter(shell: Shell, uid: number): Interpreter {
  const names = POSIX_NAMES[shell];
  const candidates =
    shell === "sh" ? ["/bin/sh"] : POSIX_FOLDERS.flatMap((folder) => names?.map((name) => `${folder}/${name}`) ?? []);
  const present = candidates.filter(isExecutable);
  const path = present.find((candidate) => isGuarded(candidate, uid));
  if (path === undefined)
    throw refuse("shell-absent", present[0] === undefined ? shell : `others than root can change ${present[0]}`);
  const asking = askVersionOf(shell, path);
  return { path, args: posixArgs(shell), extension: "", ...(asking === undefined ? {} : { askVersion: asking }) };
}

/** Whether only root, or the agent's own user, can put another program in its place: a job must not be a user's way to root. */
function isGuarded(path: string, uid: number): boolean {
  const real = realpathSync(path);
  return [dirname(path), dirname(real), real].every((place) => {
    const stats = statSync(place);
    return (stats.uid === 0 || stats.uid === uid) && (stats.mode & 0o002) === 0;
  });
}

function posixArgs(shell: Shell): Interpreter["args"] {
  if (shell === "pwsh") return powershellArgs;
  // zsh alone would read its user's startup files for a script, too.
  return shell === "zsh" ? (source) => ["-f", source] : (source) => [source];
}

/** A plain POSIX shell, such as dash, has no word for it; where `sh` is another shell, that one has. */
function askVersionOf(shell: Shell, path: string): readonly string[] | undefined {
  return shell !== "sh" || ["bash", "zsh"].includes(basename(realpathSync(path))) ? ["--version"] : undefined;
}

// Never a profile, never a prompt; the policy is bypassed because the signature has decided.
export function powershellArgs(source: string): readonly string[] {
  return ["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", source];
}
