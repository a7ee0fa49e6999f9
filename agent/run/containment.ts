// Holding everything that a job starts, so that all of it can be ended, and saying whether that was all. Opened once, at start.
import type { ChildProcess } from "node:child_process";
import type { JobBody } from "../../protocol/job-body.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { groupContainment } from "./group-containment.ts";
import type { Launch } from "./launch.ts";
import { windowsContainment } from "./windows-containment.ts";

export type Containment = {
  /** Makes what will hold one job. Nothing of the job runs yet. */
  readonly open: (job: string, limits: JobBody["limits"]) => Enclosure;
};

/** What holds one job. */
export type Enclosure = {
  /** Spawns the job's first process inside. Without an `await`: nothing else of the agent happens meanwhile. */
  readonly spawn: (launch: Launch) => ChildProcess;
  /** Asks all that is inside to end, waits, then kills it. Safe to call again, and after the leader has gone. */
  readonly end: () => Promise<void>;
  /** Whether all that was ever inside is known to have ended. */
  readonly contained: () => Receipt["contained"];
  /** Gives back what held the job, once it has ended. */
  readonly close: () => void;
};

export function openContainment(platform: NodeJS.Platform): Containment {
  return platform === "win32" ? windowsContainment() : groupContainment(platform);
}
