// Holding everything that a job starts, so that all of it can be ended, and saying whether that was all. Opened once, at start.
import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { JobBody } from "../../protocol/job-body.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { groupContainment } from "./group-containment.ts";
import type { Launch } from "./launch.ts";
import { windowsContainment } from "./windows-containment.ts";

/** A job's first process, as far as running it needs to see: a child of ours, or what a launcher tells of its own. */
export type JobProcess = Pick<ChildProcess, "pid" | "exitCode" | "signalCode"> & {
  readonly stdio: readonly unknown[];
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  once(event: "exit", listener: (code: number | null, signal: NodeJS.Signals | null) => void): unknown;
  once(event: "close", listener: () => void): unknown;
  once(event: "error", listener: (error: Error) => void): unknown;
};

export type Containment = {
  /** Throws `platform-lacks` where this job could not be held here. */
  readonly check?: (body: JobBody) => void;
  /** Makes what will hold one job. Nothing of the job runs yet. */
  readonly open: (job: string, limits: JobBody["limits"]) => Enclosure;
};

/** What holds one job. */
export type Enclosure = {
  /** Spawns the job's first process inside. Without an `await`: nothing else of the agent happens meanwhile. */
  readonly spawn: (launch: Launch) => JobProcess;
  /** Asks all that is inside to end, waits, then kills it. Safe to call again, and after the leader has gone. */
  readonly end: () => Promise<void>;
  /** Whether all that was ever inside is known to have ended. */
  readonly contained: () => Receipt["contained"];
  /** Gives back what held the job, once it has ended. */
  readonly close: () => void;
};

/** `launcher` is Windows': the program that holds jobs. */
export function openContainment(platform: NodeJS.Platform, launcher: string): Containment {
  return platform === "win32" ? windowsContainment(launcher) : groupContainment(platform);
}
