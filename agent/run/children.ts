// The children of this process on Linux: which it spawned for jobs, and which it was given when they lost their parent.
import type { ChildProcess } from "node:child_process";
import type { Libc } from "./libc.ts";
import { ownChildren, type Process, readProcess } from "./processes.ts";

// Facts of the process, whoever asks. Node asks for the remains of these, and nobody else may.
const leaders = new Set<number>();

/** Marks what was spawned for a job, until Node has heard of its end. */
export function noteLeader(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  leaders.add(pid);
  child.once("exit", () => leaders.delete(pid));
}

export type Adopted = {
  readonly living: readonly Process[];
  /** Whether nothing came or went in the last look; while something does, another may have taken its place unseen. */
  readonly isSettled: boolean;
};

/** How often to look until nothing changes: what makes a new process of itself as fast as we look is not settled. */
const MAX_LOOKS = 10;

/**
 * Children that came to this process by the death of their parent. A job's processes are told from the agent's own helpers by
 * their session: each job begins in a new one, and nothing comes back into a session that it has left.
 */
export function adoptedChildren(libc: Libc): Adopted {
  const own = readProcess(process.pid)?.session;
  for (let look = 1; ; look++) {
    const pids = ownChildren().filter((pid) => !leaders.has(pid));
    const found = pids.flatMap((pid) => readProcess(pid) ?? []);
    const strangers = found.filter(({ session }) => session !== own);
    const living = strangers.filter(({ isEnded }) => !isEnded);
    for (const { pid, isEnded } of strangers) if (isEnded) libc.reap(pid);
    const isSettled = found.length === pids.length && living.length === strangers.length;
    if (isSettled || look === MAX_LOOKS) return { living, isSettled };
  }
}

let isReaping = false;

/** Asks for the remains of adopted children as they end: a job may make thousands, and each holds a pid until it is asked for. */
export function reapAdopted(libc: Libc): void {
  if (!isReaping) process.on("SIGCHLD", () => void adoptedChildren(libc));
  isReaping = true;
}
