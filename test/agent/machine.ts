// The machine that the agent's tests take themselves for, and what it needs to run jobs.
import type { Machine } from "../../agent/machine.ts";
import { pathsIn } from "../../agent/paths.ts";
import { SYSTEM_PLACES } from "../../agent/run/account.ts";
import { openContainment } from "../../agent/run/containment.ts";
import type { SelfUpdate } from "../../agent/update/self-update.ts";
import { versionsOf } from "../../agent/update/versions.ts";
import { InterpreterVersions } from "../../agent/run/interpreter-version.ts";
import type { RunEnvironment } from "../../agent/run/run-job.ts";

export const AGENT = { text: "keybound-agent test", number: 1 };
export const MACHINE: Machine = {
  host: "web1",
  platform: "linux",
  release: "6.1",
  arch: "x64",
  machineId: "machine one",
  bootId: "boot one",
};

/** Of a program that was not installed. */
const SELF: SelfUpdate = {
  keys: new Map(),
  platform: "linux-x64",
  versions: versionsOf("/nonexistent/keybound-agent.cjs", { platform: process.platform }),
  isStartedAgain: true,
  restart: () => {
    throw new Error("internal error: nothing restarts a test");
  },
};

export function environmentIn(state: string, bootId = MACHINE.bootId): RunEnvironment {
  const { jobs, running, files, placed, fetched } = pathsIn(state);
  return {
    platform: process.platform,
    account: { name: "root", home: "/root", uid: process.getuid?.() ?? 0 },
    windows: { systemRoot: "", systemDrive: "", programData: "", programFiles: "", temp: "" },
    places: SYSTEM_PLACES,
    versions: new InterpreterVersions(),
    containment: openContainment({ platform: process.platform, bootId, running, launcher: "" }),
    jobs,
    files,
    placed,
    fetched,
    self: SELF,
  };
}
