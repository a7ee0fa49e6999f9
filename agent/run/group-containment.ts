// A job as a process group: what POSIX lets us name of it. A process that leaves the group is not seen.
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { END_GRACE_MS, KILL_WAIT_MS } from "../limits.ts";
import type { Containment, Enclosure } from "./containment.ts";
import { spawnLaunch } from "./launch.ts";

const POLL_MS = 20;

export function groupContainment(platform: NodeJS.Platform): Containment {
  const hasLiving = platform === "linux" ? hasLivingOnLinux : hasMember;
  return { open: () => groupEnclosure(hasLiving) };
}

type HasLiving = (pid: number) => boolean;

function groupEnclosure(hasLiving: HasLiving): Enclosure {
  let leader: ChildProcess | undefined;
  return {
    spawn: (launch) => (leader = spawnLaunch(launch, { detached: true })),
    end: async () => {
      if (leader?.pid !== undefined) await endGroup(leader.pid, hasLiving);
    },
    contained: () => {
      if (leader?.pid === undefined) return "yes";
      return hasLiving(leader.pid) ? "no" : "unknown";
    },
    close: () => undefined,
  };
}

async function endGroup(pid: number, hasLiving: HasLiving): Promise<void> {
  if (!hasLiving(pid) || !signalGroup(pid, "SIGTERM")) return;
  if (!(await isGone(pid, hasLiving, END_GRACE_MS)) && signalGroup(pid, "SIGKILL"))
    await isGone(pid, hasLiving, KILL_WAIT_MS);
}

async function isGone(pid: number, hasLiving: HasLiving, withinMs: number): Promise<boolean> {
  for (let waited = 0; waited < withinMs; waited += POLL_MS) {
    if (!hasLiving(pid)) return true;
    await sleep(POLL_MS);
  }
  return !hasLiving(pid);
}

const hasMember: HasLiving = (pid) => signalGroup(pid, 0);

/** A process that has ended stays in its group until its parent asks for it, which an orphan's new parent may never do. */
const hasLivingOnLinux: HasLiving = (pid) =>
  signalGroup(pid, 0) && readdirSync("/proc").some((name) => /^[0-9]+$/.test(name) && isLivingIn(pid, name));

// proc_pid_stat(5): pid (comm) state ppid pgrp ...; comm may hold anything, even parentheses.
function isLivingIn(group: number, name: string): boolean {
  const stat = readStat(name);
  const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(pgrp) === group && state !== "Z" && state !== "X";
}

function readStat(name: string): string {
  try {
    return readFileSync(`/proc/${name}/stat`, "latin1");
  } catch (error) {
    // It ended between the listing and now.
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return "";
    throw error;
  }
}

/** Whether the group had a member to signal. While it has one, the kernel gives its number to nobody else. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    if (error instanceof Error && "code" in error && error.code === "EPERM") return true;
    throw error;
  }
}
