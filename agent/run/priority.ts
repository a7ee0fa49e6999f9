// How a job is scheduled, from its first instruction where the agent may.
import type { ChildProcess } from "node:child_process";
import { getPriority, setPriority } from "node:os";
import type { Limits, PlatformLimit } from "../../protocol/job-body.ts";

const NICE: Readonly<Record<NonNullable<Limits["priority"]>, number>> = { low: 10, normal: 0, high: -10 };

/**
 * Spawns with this priority. A child inherits it, so the agent takes it on for the spawn, where it may come back to its own;
 * else it is set right after. Where it cannot be set, `unenforced` says so.
 */
export function spawnWithPriority(
  priority: Limits["priority"],
  spawn: () => ChildProcess,
  unenforced: Set<PlatformLimit>,
): ChildProcess {
  if (priority === undefined) return spawn();
  const own = getPriority();
  // Whoever may not go below its own has no way back.
  if (!trySet(0, Math.max(own - 1, -20))) return setAfter(spawn(), NICE[priority], unenforced);
  setPriority(0, NICE[priority]);
  try {
    return spawn();
  } finally {
    setPriority(0, own);
  }
}

function setAfter(child: ChildProcess, nice: number, unenforced: Set<PlatformLimit>): ChildProcess {
  if (child.pid !== undefined && !trySet(child.pid, nice)) unenforced.add("priority");
  return child;
}

function trySet(pid: number, nice: number): boolean {
  try {
    setPriority(pid, nice);
    return true;
  } catch {
    // The one answer of the system for "you may not".
    return false;
  }
}
