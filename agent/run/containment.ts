// Holding everything that a job starts, so that all of it can be ended, and saying whether that was all. Opened once, at start.
import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { JobBody, Limits, PlatformLimit } from "../../protocol/job-body.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { openCgroups } from "./find-cgroups.ts";
import { groupContainment } from "./group-containment.ts";
import type { Launch } from "./launch.ts";
import { openLibc } from "./libc.ts";
import { LinuxContainment } from "./linux-containment.ts";
import { windowsContainment } from "./windows-containment.ts";

/** A job that had started when the agent went down. */
export type FormerJob = { readonly job: string; readonly bootId: string };

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
  readonly open: (job: string, limits: Limits) => Enclosure;
  /** Does something by which the agent spawns a process of its own, which shall be no job's. Without an `await`. */
  readonly outside: <T>(act: () => T) => T;
  /** Ends what the jobs of an agent that went down have left running, and answers for each job what is known of it. */
  readonly endFormer: (jobs: readonly FormerJob[]) => Promise<ReadonlyMap<string, Receipt["contained"]>>;
};

/** What holds one job. */
export type Enclosure = {
  /** Spawns the job's first process inside. Without an `await`: nothing else of the agent happens meanwhile. */
  readonly spawn: (launch: Launch) => JobProcess;
  /** Asks all that is inside to end, waits, then kills it. Safe to call again, and after the leader has gone. */
  readonly end: () => Promise<void>;
  /** What is inside may live on. */
  readonly letGo: () => void;
  /** Whether all that was ever inside is known to have ended. */
  readonly contained: () => Receipt["contained"];
  /** Limits of the job that are not applied here. */
  readonly unenforced: ReadonlySet<PlatformLimit>;
  /** Gives back what held the job, once it has ended. */
  readonly close: () => void;
};

export type Surroundings = {
  readonly platform: NodeJS.Platform;
  readonly bootId: string;
  /** Folder for notes of what runs, private to the agent. */
  readonly running: string;
  /** Windows: the program that holds jobs. */
  readonly launcher: string;
};

export function openContainment({ platform, ...given }: Surroundings): Containment {
  if (platform === "win32") return windowsContainment(given.launcher);
  if (platform === "linux") return new LinuxContainment({ ...given, cgroups: openCgroups(), libc: openLibc() });
  return groupContainment();
}
