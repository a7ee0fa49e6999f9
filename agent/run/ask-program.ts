// Asks a program of the system one question. It is found by an absolute path, gets none of the agent's environment and none of a
// job's, and is bounded in time and in what it may say.
import { execFile, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { MAX_ANSWER_BYTES } from "../limits.ts";
import { outsideGroups } from "./find-cgroups.ts";

/** `silent`: it is not there, took too long or said too much. */
export type ProgramAnswer =
  | { readonly type: "answered"; readonly code: number; readonly stdout: string }
  | { readonly type: "silent" };

export type Question = {
  readonly path: string;
  readonly args: readonly string[];
  /** Besides `LC_ALL`. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads; nothing unless said. */
  readonly input?: string;
  /** When it aborts, the program is killed. */
  readonly until: AbortSignal;
};

/** Does not reject. */
export function askProgram({ path, args, env = {}, input = "", until }: Question): Promise<ProgramAnswer> {
  const { promise, resolve } = Promise.withResolvers<ProgramAnswer>();
  const options = {
    cwd: "/",
    env: { LC_ALL: "C", ...env },
    encoding: "utf8",
    killSignal: "SIGKILL",
    maxBuffer: MAX_ANSWER_BYTES,
    signal: until,
    windowsHide: true,
  } as const;
  const child = outsideGroups(() => execFile(path, args, options, (error, stdout) => resolve(answerOf(error, stdout))));
  child.stdin?.once("error", () => undefined);
  child.stdin?.end(input);
  return promise;
}

export type Telling = Pick<Question, "path" | "args"> & { readonly input: string; readonly withinMs: number };

/** The same at the end of this process, when nothing can be waited for otherwise; what it says is not asked for. Does not throw. */
export function tellProgramNow({ path, args, input, withinMs }: Telling): void {
  const options = { cwd: "/", env: { LC_ALL: "C" }, killSignal: "SIGKILL", windowsHide: true } as const;
  outsideGroups(() =>
    spawnSync(path, args, { ...options, input, timeout: withinMs, stdio: ["pipe", "ignore", "ignore"] }),
  );
}

function answerOf(error: unknown, stdout: string): ProgramAnswer {
  if (error === null) return { type: "answered", code: 0, stdout };
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "number" ? { type: "answered", code, stdout } : { type: "silent" };
}

/** The first of the folders' programs of this name that can be started. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => `${folder}/${name}`).find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // The one answer that accessSync gives for "no".
    return false;
  }
}
