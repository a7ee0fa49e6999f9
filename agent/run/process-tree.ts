// Ending everything that a job started, as far as the platform lets us name it, and saying whether that was all of it.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Receipt } from "../../protocol/receipt.ts";
import { END_GRACE_MS, KILL_WAIT_MS } from "../limits.ts";

const POLL_MS = 20;

export type ProcessTree = {
  /** Asks the tree to end, waits, then kills it. Safe to call again, and after the leader has gone. */
  readonly end: () => Promise<void>;
  /** Whether the whole tree is known to have ended. A process that left the group is not seen: then nobody knows. */
  readonly contained: () => Receipt["contained"];
};

/** The tree of a child that leads its own process group (POSIX) or was started by us (Windows). */
export function processTree(pid: number, platform: NodeJS.Platform): ProcessTree {
  if (platform === "win32") return windowsTree(pid);
  return groupTree(pid, platform === "linux" ? hasLivingOnLinux : hasMember);
}

type HasLiving = (pid: number) => boolean;

function groupTree(pid: number, hasLiving: HasLiving): ProcessTree {
  const isGone = async (withinMs: number) => {
    for (let waited = 0; waited < withinMs; waited += POLL_MS) {
      if (!hasLiving(pid)) return true;
      await sleep(POLL_MS);
    }
    return !hasLiving(pid);
  };
  return {
    end: async () => {
      if (!hasLiving(pid) || !signalGroup(pid, "SIGTERM")) return;
      if (!(await isGone(END_GRACE_MS)) && signalGroup(pid, "SIGKILL")) await isGone(KILL_WAIT_MS);
    },
    contained: () => (hasLiving(pid) ? "no" : "unknown"),
  };
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

function windowsTree(pid: number): ProcessTree {
  return {
    end: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const killer = spawn("taskkill", ["/T", "/F", "/PID", String(pid)], { stdio: "ignore", windowsHide: true });
      killer.once("error", () => resolve());
      killer.once("close", () => resolve());
      await promise;
    },
    contained: () => "unknown",
  };
}
