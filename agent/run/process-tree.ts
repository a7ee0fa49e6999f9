// Ending everything that a job started, as far as the platform lets us name it, and saying whether that was all of it.
import { spawn } from "node:child_process";
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
  return platform === "win32" ? windowsTree(pid) : groupTree(pid);
}

function groupTree(pid: number): ProcessTree {
  return {
    end: async () => {
      if (signalGroup(pid, "SIGTERM") && !(await isGone(pid, END_GRACE_MS)) && signalGroup(pid, "SIGKILL")) {
        await isGone(pid, KILL_WAIT_MS);
      }
    },
    contained: () => (signalGroup(pid, 0) ? "no" : "unknown"),
  };
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

async function isGone(pid: number, withinMs: number): Promise<boolean> {
  for (let waited = 0; waited < withinMs; waited += POLL_MS) {
    if (!signalGroup(pid, 0)) return true;
    await sleep(POLL_MS);
  }
  return !signalGroup(pid, 0);
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
