// Windows: a job's processes in a Job Object of their own, which the launcher holds for us. Without the launcher there are no jobs.
import { type ChildProcess, spawn } from "node:child_process";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobBody, Limits } from "../../protocol/job-body.ts";
import { refuse } from "../../protocol/refusal.ts";
import { END_GRACE_MS, KILL_WAIT_MS } from "../limits.ts";
import type { Containment, Enclosure } from "./containment.ts";
import { isExecutable } from "./ask-program.ts";
import { launcherSetup } from "./windows-launcher.ts";
import { WindowsProcess } from "./windows-process.ts";

/** `launcher`: absolute path of the program that holds jobs. */
export function windowsContainment(launcher: string): Containment {
  return {
    check: (body) => checkLauncher(launcher, body),
    open: (_job, limits) => windowsEnclosure(launcher, limits),
    outside: (act) => act(),
    // The Job Objects of an agent that went down have ended with it; nobody has seen that.
    endFormer: (jobs) => Promise.resolve(new Map(jobs.map(({ job }) => [job, "unknown"] as const))),
  };
}

/** A job that nothing holds could not be ended wholly: rather no job. Looked at each time, for the launcher may be put back. */
function checkLauncher(launcher: string, { user, stdin }: JobBody): void {
  if (!isExecutable(launcher)) throw refuse("platform-lacks", `no ${basename(launcher)} beside the agent's program`);
  const who: string = user.as;
  if (who === "sessions" && stdin !== undefined) throw refuse("platform-lacks", "one input for several sessions");
}

/** One byte each, as the launcher knows them. */
const COMMANDS = { ask: "a", kill: "k", letGo: "l" } as const;

function windowsEnclosure(launcher: string, limits: Limits): Enclosure {
  let holder: ChildProcess | undefined;
  let leader: WindowsProcess | undefined;
  let isLeft = false;
  const say = (word: string | Uint8Array) => {
    const commands = holder?.stdio[3];
    if (commands !== undefined && commands !== null && "write" in commands && !commands.destroyed) commands.write(word);
  };
  return {
    // A Job Object has them all, or the job does not start.
    unenforced: new Set(),
    spawn: (launch) => {
      const { program, cwd: folder, env, windows } = launch;
      if (windows === undefined) throw new Error("internal error: no command line for Windows");
      holder = startLauncher(launcher, launch.hasInput);
      leader = new WindowsProcess(holder);
      say(launcherSetup({ ...limits, program, folder, env, ...windows }));
      return leader;
    },
    end: async () => {
      if (leader === undefined || leader.isEmpty) return;
      say(COMMANDS.ask);
      await within(END_GRACE_MS, [leader.empty(), leader.deaf()]);
      if (leader.isEmpty) return;
      say(COMMANDS.kill);
      await within(KILL_WAIT_MS, [leader.empty()]);
    },
    letGo: () => {
      isLeft = true;
      say(COMMANDS.letGo);
    },
    contained: () => {
      if (leader === undefined || leader.isEmpty) return "yes";
      if (isLeft) return "left";
      return leader.isForsaken ? "unknown" : "no";
    },
    // The launcher ends, and the Job Object with it, and with that whatever is inside.
    close: () => endPipe(holder?.stdio[3]),
  };
}

/** Its own surroundings are Windows' folder alone; the job's are in the setup. */
function startLauncher(launcher: string, hasInput: boolean): ChildProcess {
  const holder = spawn(launcher, [], {
    env: { SystemRoot: process.env["SystemRoot"] ?? "C:\\Windows" },
    windowsHide: true,
    stdio: [hasInput ? "pipe" : "ignore", "pipe", "pipe", "pipe", "pipe"],
  });
  // A launcher that ends while it is being told something: that it ended is what counts.
  holder.stdio[3]?.on("error", () => undefined);
  return holder;
}

async function within(timeMs: number, events: readonly Promise<void>[]): Promise<void> {
  const waiting = new AbortController();
  await Promise.race([...events, sleep(timeMs, undefined, { signal: waiting.signal }).catch(() => undefined)]);
  waiting.abort();
}

function endPipe(pipe: ChildProcess["stdio"][number] | undefined): void {
  if (pipe !== undefined && pipe !== null && "end" in pipe) pipe.end();
}
