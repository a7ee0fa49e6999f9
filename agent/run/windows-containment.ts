// Windows: ending a job's processes by the tree that the system remembers of them.
import { type ChildProcess, spawn } from "node:child_process";
import type { Containment, Enclosure } from "./containment.ts";
import { spawnLaunch } from "./launch.ts";

export function windowsContainment(): Containment {
  return { open: windowsEnclosure };
}

function windowsEnclosure(): Enclosure {
  let leader: ChildProcess | undefined;
  return {
    spawn: (launch) => (leader = spawnLaunch(launch, { detached: false })),
    end: async () => {
      if (leader?.pid !== undefined) await killTree(leader.pid);
    },
    contained: () => (leader?.pid === undefined ? "yes" : "unknown"),
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
