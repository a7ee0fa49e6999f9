// Jobs that are being done now: programs that run, with their live output, files that are being read for their readers, and the agent's own program. Each has
// its place here until its receipt is written.
import type { Runnable } from "../../protocol/verify-job.ts";
import { LiveOutput } from "../answers/live.ts";
import { type Answer, resultFiles } from "../answers/outbox.ts";
import { sealResult } from "../answers/result.ts";
import { Fetches } from "../files/fetches.ts";
import { type EndCause, type RunningJob, runJob } from "../run/run-job.ts";
import type { State } from "../state/state.ts";
import { SelfUpdates } from "../update/self-updates.ts";
import type { JobsOptions } from "./jobs-options.ts";
import type { StartedJob } from "./ledger.ts";
import type { Prepared, PreparedRun } from "./prepared.ts";

type Run = { readonly running: RunningJob; readonly live: LiveOutput };

export type Beginning = {
  readonly startedAt: number;
  /** Somebody watches it from its first byte on. */
  readonly watched: boolean;
};

export class Active {
  readonly #options: Pick<JobsOptions, "environment" | "random" | "connection" | "log">;
  readonly #runs = new Map<string, Run>();
  readonly #fetches: Fetches;
  readonly #updates: SelfUpdates;

  constructor(options: Pick<JobsOptions, "environment" | "random" | "connection" | "log">) {
    this.#options = options;
    this.#fetches = new Fetches(options);
    this.#updates = new SelfUpdates(options);
  }

  /** Programs and files. */
  get size(): number {
    return this.#runs.size + this.#fetches.running + (this.isUpdating ? 1 : 0);
  }

  /** The agent's own program is being replaced. */
  get isUpdating(): boolean {
    return this.#updates.job !== undefined;
  }

  /** After a start: removes of fetched files what is no result that waits for the relay. */
  recover(state: State): void {
    this.#fetches.recover(resultFiles(state));
  }

  /** The job is the ledger's to have begun. Settles with how it ended; it counts as active until `done`. */
  begin(prepared: Prepared, beginning: Beginning): Promise<Answer | undefined> {
    switch (prepared.kind) {
      case "run":
        return this.#run(prepared, beginning);
      case "fetch":
        return this.#fetch(prepared.runnable, beginning);
      case "update":
        return this.#updates.begin(prepared.runnable, beginning);
      default:
        throw new Error(`internal error: nothing does ${JSON.stringify(prepared satisfies never)}`);
    }
  }

  /** After a start: what became of a job that was under way, where it was an update that came to a trial. `on-trial`: the next start answers it. */
  updateOf(job: StartedJob): Answer | "on-trial" | undefined {
    return this.#updates.after(job);
  }

  /** It has its receipt. */
  done(job: string): void {
    this.#runs.delete(job);
    this.#fetches.done(job);
    this.#updates.done(job);
  }

  /** Ends one; the first cause that ends a job is its outcome. */
  end(job: string, by: EndCause): void {
    this.#runs.get(job)?.running.end(by);
    this.#fetches.end(job, by);
    this.#updates.end(job, by);
  }

  endAll(by: EndCause): void {
    for (const { running } of this.#runs.values()) running.end(by);
    this.#fetches.endAll(by);
    this.#updates.endAll(by);
  }

  watch(job: string): void {
    this.#runs.get(job)?.live.watch();
  }

  unwatch(job: string): void {
    this.#runs.get(job)?.live.unwatch();
  }

  unwatchAll(): void {
    for (const { live } of this.#runs.values()) live.unwatch();
  }

  /** The relay takes more of a job's live output. */
  credit(job: string, upTo: number): void {
    this.#runs.get(job)?.live.credit(upTo);
  }

  #run(prepared: PreparedRun, { startedAt, watched }: Beginning): Promise<Answer> {
    const { environment, random, connection } = this.#options;
    const { job, body } = prepared.runnable;
    const { job: id, readers } = job.manifest;
    const running = runJob(prepared, environment, (stream, bytes) => live.add(stream, bytes));
    const live = new LiveOutput(
      { job: id, statement: job.statement, readers, timeMs: body.limits.timeMs },
      { random, connection, ticks: () => performance.now(), hold: running.hold },
    );
    // Sealing to the watchers takes a millisecond, in which the process starts; its output comes in a later turn.
    if (watched) live.watch();
    this.#runs.set(id, { running, live });
    return this.#ended(prepared.runnable, { running, live, startedAt });
  }

  async #ended({ job }: Runnable<"run">, { running, live, startedAt }: Run & { startedAt: number }): Promise<Answer> {
    const { outcome, kept, contained, interpreter, interpreterVersion, unenforced = [] } = await running.done;
    const streamed = live.end();
    const { statement, manifest } = job;
    const result = sealResult(kept, { readers: manifest.readers, statement, random: this.#options.random });
    return {
      job: manifest.job,
      statement,
      outcome,
      contained,
      ...(interpreter === undefined ? {} : { startedAt, interpreter: interpreter.slice(0, 256) }),
      ...(interpreterVersion === undefined ? {} : { interpreterVersion }),
      ...(streamed === undefined ? {} : { live: streamed }),
      ...(unenforced.length === 0 ? {} : { unenforced }),
      ...(result === undefined ? {} : { result }),
    };
  }

  async #fetch(runnable: Runnable<"fetch">, { startedAt }: Beginning): Promise<Answer> {
    const { statement, manifest } = runnable.job;
    const read = await this.#fetches.read(runnable);
    return { job: manifest.job, statement, startedAt, contained: "yes", ...read };
  }
}
