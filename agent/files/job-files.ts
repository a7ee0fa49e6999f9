// The files that jobs bring, from the relay to their places and away again: what `Jobs` has to do with them.
import type { Logger } from "pino";
import { rmSync } from "node:fs";
import type { Refusal } from "../../protocol/refusal.ts";
import type { OwnerState } from "../binding/owner-state.ts";
import type { RelayConnection } from "../connection/relay-connection.ts";
import { isWaiting } from "../jobs/ledger.ts";
import { broughtFiles, type TurnTaker } from "../jobs/prepared.ts";
import type { PreparedJob, RunEnvironment } from "../run/run-job.ts";
import { FileIntake } from "./file-intake.ts";
import { clearPlaced, needsOf, placeFiles } from "./place-files.ts";
import { SealedFiles } from "./sealed-files.ts";

export type JobFilesOptions = {
  readonly owned: OwnerState;
  readonly environment: RunEnvironment;
  readonly connection: () => RelayConnection | undefined;
  readonly now: () => number;
  readonly log: Logger;
  readonly onWhole: (job: string) => void;
  readonly onRefused: (job: string, refusal: Refusal) => void;
  readonly onFault: (error: unknown) => void;
};

type PlacedBeginning = {
  readonly mayGoOn: () => boolean;
  readonly begin: (placed: PreparedJob) => boolean;
};

export class JobFiles {
  readonly #options: JobFilesOptions;
  readonly #sealed: SealedFiles;
  readonly #intake: FileIntake;

  constructor(options: JobFilesOptions) {
    this.#options = options;
    this.#sealed = new SealedFiles(options.environment.files);
    this.#intake = new FileIntake({ ...options, sealed: this.#sealed });
  }

  /** After a start: what belongs to no job that waits is removed, and what a crash left of placing. */
  recover(waiting: ReadonlySet<string>): void {
    const { environment } = this.#options;
    for (const job of this.#sealed.jobs()) {
      clearPlaced(job, { environment, sealed: this.#sealed });
      if (!waiting.has(job)) this.#sealed.remove(job);
    }
    rmSync(environment.placed, { recursive: true, force: true });
  }

  /** Asks for what is missing of a job's files. Answers whether nothing is; else `onWhole` or `onRefused` says what became of it. */
  fetch(runnable: TurnTaker): boolean {
    const { job, expiresAt } = runnable.job.manifest;
    const files = broughtFiles(runnable);
    const needs = runnable.kind === "run" ? needsOf(files, this.#options.environment) : [];
    return this.#intake.add({ job, files, expiresAt, needs });
  }

  /** Whether its files are on their way. */
  has(job: string): boolean {
    return this.#intake.has(job);
  }

  connected(): void {
    this.#intake.connected();
  }

  /** Its files in their places, and the job with its own folder begun. See `placeFiles`. */
  async place(prepared: PreparedJob, { mayGoOn, begin }: PlacedBeginning): Promise<void> {
    const { environment } = this.#options;
    await placeFiles({
      prepared,
      environment,
      sealed: this.#sealed,
      mayGoOn,
      begin: (files) => begin({ ...prepared, files }),
    });
  }

  /** The job has its receipt. One that will run again keeps what has come. */
  release(job: string): void {
    const { environment, owned } = this.#options;
    if (this.#sealed.has(job)) clearPlaced(job, { environment, sealed: this.#sealed });
    if (isWaiting(owned.state, job)) return;
    this.#sealed.remove(job);
    this.#intake.release(job);
  }

  stop(): Promise<void> {
    return this.#intake.stop();
  }
}
