// What is spawned for a job: the program, its arguments, its environment, its folder, its account. One value, made in one place.
import { type ChildProcess, spawn } from "node:child_process";
import { environmentOf } from "./environment.ts";
import type { PreparedJob, RunEnvironment } from "./run-job.ts";
import type { Source } from "./source-file.ts";

export type Launch = {
  /** An absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  /** All of it. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Absent where the job runs as the agent itself does. */
  readonly ids?: { readonly uid: number; readonly gid: number };
  readonly hasInput: boolean;
  /** What becomes descriptor 3. */
  readonly source: number | undefined;
};

export function launchOf(
  { runnable, interpreter, account }: PreparedJob,
  { platform, windows }: RunEnvironment,
  source: Source | undefined,
): Launch {
  const { body } = runnable;
  return {
    program: interpreter.path,
    args: body.shell === "exec" ? interpreter.args("") : [...interpreter.args(source?.path ?? ""), ...body.args],
    env: environmentOf(body, { account, platform, windows }),
    cwd: body.cwd ?? (platform === "win32" ? `${windows.systemDrive}\\` : "/"),
    hasInput: body.stdin !== undefined,
    source: source?.descriptor,
    ...(account.ids === undefined ? {} : { ids: account.ids }),
  };
}

/** A POSIX child leads a session and a process group of its own; a process never comes back into a session that it left. */
export function spawnLaunch(launch: Launch, { detached }: { detached: boolean }): ChildProcess {
  return spawn(launch.program, launch.args, {
    cwd: launch.cwd,
    env: launch.env,
    detached,
    windowsHide: true,
    stdio: [
      launch.hasInput ? "pipe" : "ignore",
      "pipe",
      "pipe",
      ...(launch.source === undefined ? [] : [launch.source]),
    ],
    ...launch.ids,
  });
}
