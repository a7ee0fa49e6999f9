// Whether an agent runs on a state folder, without asking for its lock: on Linux the kernel lists who holds it.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** `pid` is absent where the kernel does not name it, as of a process outside this container. */
export type Daemon =
  | { readonly type: "runs"; readonly pid?: number }
  | { readonly type: "none" }
  | { readonly type: "unknown" };

export function findDaemon(folder: string, platform: NodeJS.Platform): Daemon {
  if (platform !== "linux") return { type: "unknown" };
  try {
    const { ino } = statSync(join(folder, "lock.db"), { throwIfNoEntry: false }) ?? {};
    if (ino === undefined) return { type: "none" };
    return holderOf(ino, readFileSync("/proc/locks", "latin1"));
  } catch {
    // No right to look, or no /proc: whoever asked says so.
    return { type: "unknown" };
  }
}

/** proc_locks(5): `1: POSIX ADVISORY WRITE PID MAJOR:MINOR:INODE START END`. */
function holderOf(inode: number, locks: string): Daemon {
  const line = locks.split("\n").find((text) => / WRITE /.test(text) && text.includes(`:${inode} `));
  if (line === undefined) return { type: "none" };
  const pid = Number(/ WRITE +(-?\d+) /.exec(line)?.[1]);
  return pid > 0 ? { type: "runs", pid } : { type: "runs" };
}
