// Windows: ending a job's processes by the tree that the system remembers of them.
import { type ChildProcess, spawn } from "node:child_process";
import type { Limits, PlatformLimit } from "../../protocol/job-body.ts";
import type { Containment, Enclosure } from "./containment.ts";
import { spawnLaunch } from "./launch.ts";
import { spawnWithPriority } from "./priority.ts";

export function windowsContainment(): Containment {
  return {
    open: (_job, limits) => windowsEnclosure(limits),
    outside: (act) => act(),
    endFormer: (jobs) => Promise.resolve(new Map(jobs.map(({ job }) => [job, "unknown"] as const))),
  };
}

function windowsEnclosure({ processes, memoryBytes, priority }: Limits): Enclosure {
  const unenforced = new Set<PlatformLimit>();
  if (processes !== undefined) unenforced.add("processes");
  if (memoryBytes !== undefined) unenforced.add("memoryBytes");
  let isLeft = false;
  let leader: ChildProcess | undefined;
  return {
    unenforced,
    spawn: (launch) =>
      (leader = spawnWithPriority(priority, () => spawnLaunch(launch, { detached: false }), unenforced)),
    letGo: () => (isLeft = true),
    end: async () => {
      if (leader?.pid !== undefined) await killTree(leader.pid);
    },
    contained: () => {
      if (leader?.pid === undefined) return "yes";
      return isLeft ? "left" : "unknown";
    },
    close: () => undefined,
  };
}

async function killTree(pid: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const killer = spawn("taskkill", ["/T", "/F", "/PID", String(pid)], { stdio: "ignore", windowsHide: true });
  killer.once("error", () => resolve());
  killer.once("close", () => resolve());
  await promise;
}
