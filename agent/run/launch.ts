// What is spawned for a job: the program, its arguments, its environment, its folder. One value, made in one place.
import { type ChildProcess, spawn } from "node:child_process";
import type { Account } from "./account.ts";
import { environmentOf } from "./environment.ts";
import type { PreparedJob, RunEnvironment } from "./run-job.ts";
import type { Source } from "./source-file.ts";
import { type WindowsLaunch, windowsLaunch } from "./windows-launch.ts";

export type Launch = {
  /** An absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  /** All of it. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly hasInput: boolean;
  /** What become the child's descriptors from 3 on: the agent's own, or a pipe to the agent. */
  readonly descriptors: readonly (number | "pipe" | "ignore")[];
  /** What Windows takes in place of arguments and ids. */
  readonly windows?: WindowsLaunch;
};

/** The job's own program, as its account should see it; who starts it, and as whom, is change-user.ts' matter. */
export function launchOf(
  { runnable, interpreter, files }: PreparedJob,
  { platform, windows }: RunEnvironment,
  { account, source }: { account: Account; source: Source | undefined },
): Launch {
  const { body } = runnable;
  return {
    program: interpreter.path,
    args: body.shell === "exec" ? interpreter.args("") : [...interpreter.args(source?.path ?? ""), ...body.args],
    env: {
      ...(files === undefined ? {} : { KEYBOUND_FILES: files }),
      ...environmentOf(body, { account, platform, windows }),
    },
    cwd: body.cwd ?? (platform === "win32" ? `${windows.systemDrive}\\` : "/"),
    hasInput: body.stdin !== undefined,
    descriptors: source?.descriptor === undefined ? [] : [source.descriptor],
    ...(platform === "win32" ? { windows: windowsLaunch({ body, interpreter, source }) } : {}),
  };
}

/** A POSIX child leads a session and a process group of its own; a process never comes back into a session that it left. */
export function spawnLaunch(launch: Launch, { detached }: { detached: boolean }): ChildProcess {
  return spawn(launch.program, launch.args, {
    cwd: launch.cwd,
    env: launch.env,
    detached,
    windowsHide: true,
    stdio: [launch.hasInput ? "pipe" : "ignore", "pipe", "pipe", ...launch.descriptors],
  });
}
