// A job as a process group, and what a repeated walk finds of it: all that macOS lets us name. A daemon that came between two walks is not seen.
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Limits, PlatformLimit } from "../../protocol/job-body.ts";
import { END_GRACE_MS, KILL_WAIT_MS, WALK_EVERY_MS } from "../limits.ts";
import type { Containment, Enclosure } from "./containment.ts";
import { spawnLaunch } from "./launch.ts";
import { spawnWithPriority } from "./priority.ts";
import { WalkedTree } from "./walked-tree.ts";

const POLL_MS = 50;

export function groupContainment(): Containment {
  return {
    open: (_job, limits) => groupEnclosure(limits),
    outside: (act) => act(),
    endFormer: (jobs) => Promise.resolve(new Map(jobs.map(({ job }) => [job, "unknown"] as const))),
  };
}

function groupEnclosure({ priority, processes, memoryBytes }: Limits): Enclosure {
  const unenforced = new Set<PlatformLimit>();
  if (processes !== undefined) unenforced.add("processes");
  if (memoryBytes !== undefined) unenforced.add("memoryBytes");
  let leader: ChildProcess | undefined;
  let tree: WalkedTree | undefined;
  let walking: NodeJS.Timeout | undefined;
  let isLeft = false;
  let hasLiving = false;
  return {
    unenforced,
    spawn: (launch) => {
      leader = spawnWithPriority(priority, () => spawnLaunch(launch, { detached: true }), unenforced);
      if (leader.pid === undefined) return leader;
      const walked = new WalkedTree(leader.pid);
      tree = walked;
      void walked.living();
      walking = setInterval(() => void walked.living(), WALK_EVERY_MS).unref();
      return leader;
    },
    end: async () => {
      if (tree !== undefined && leader?.pid !== undefined) hasLiving = !(await endTree(leader.pid, tree));
    },
    letGo: () => (isLeft = true),
    contained: () => {
      if (leader?.pid === undefined) return "yes";
      if (!hasLiving && !(tree?.isGroupOurs === true && signal(-leader.pid, 0))) return "unknown";
      return isLeft ? "left" : "no";
    },
    close: () => clearInterval(walking),
  };
}

/** Whether all that is known of it has gone. */
async function endTree(pid: number, tree: WalkedTree): Promise<boolean> {
  const asked = await tree.living();
  const hasGroup = tree.isGroupOurs && signal(-pid, "SIGTERM");
  if (!hasGroup && asked.length === 0) return true;
  for (const one of asked) signal(one, "SIGTERM");
  // What is stopped hears SIGTERM only when it goes on.
  for (const one of [...(hasGroup ? [-pid] : []), ...asked]) signal(one, "SIGCONT");
  if (await hasGone(tree, END_GRACE_MS)) return true;
  const deadline = performance.now() + KILL_WAIT_MS;
  do {
    const left = await tree.living();
    for (const one of [...(tree.isGroupOurs ? [-pid] : []), ...left]) signal(one, "SIGKILL");
    if (await hasGone(tree, POLL_MS)) return true;
  } while (performance.now() < deadline);
  return false;
}

async function hasGone(tree: WalkedTree, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  do {
    await sleep(POLL_MS);
    if ((await tree.living()).length === 0) return true;
  } while (performance.now() < deadline);
  return false;
}

/** To a process, or with a minus to a group. Whether there was one. While a group has a member, its number is nobody else's. */
function signal(to: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(to, name);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    if (error instanceof Error && "code" in error && error.code === "EPERM") return true;
    throw error;
  }
}
