// Jobs as they come to this device: from the relay's bytes through the one door into the ledger, before anything of them happens.
// Those that are accepted take their turns (turns.ts), and all end by one receipt (endings.ts).
import type { Outcome } from "../../protocol/outcome.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import { type Runnable, VerifiedJob } from "../../protocol/verify-job.ts";
import type { EndCause } from "../run/run-job.ts";
import { clearSources } from "../run/source-file.ts";
import { noteAccepted } from "./accept.ts";
import { Active } from "./active.ts";
import { barredStatement } from "./barred.ts";
import { answerBarred, carryOut } from "./cancels.ts";
import { Endings } from "./endings.ts";
import type { JobsOptions } from "./jobs-options.ts";
import { jobContext } from "./judge-job.ts";
import { claim, type Delivery, PLAIN, type StartedJob, startedJobs } from "./ledger.ts";
import { bodyOfTurn, prepare, type Prepared } from "./prepared.ts";
import { type RefusedReception, Refusals } from "./refusals.ts";
import { checkCancelRoom, checkRoom } from "./room.ts";
import { Turns } from "./turns.ts";

/** What became of a delivery. `taken`: the relay need not send it again. */
export type Reception =
  | { readonly type: "taken" }
  | RefusedReception
  | { readonly type: "behind"; readonly seq: number };

export class Jobs {
  readonly #options: JobsOptions;
  readonly #stopping = new AbortController();
  readonly #active: Active;
  readonly #endings: Endings;
  readonly #turns: Turns;
  readonly #refusals: Refusals;

  constructor(options: JobsOptions) {
    const stopping = this.#stopping.signal;
    this.#options = options;
    this.#active = new Active(options);
    this.#endings = new Endings({ ...options, stopping, onEnded: (job) => this.#turns.ended(job) });
    this.#turns = new Turns({ ...options, stopping, active: this.#active, endings: this.#endings });
    this.#refusals = new Refusals({ ...options, standing: () => this.#endings.standing() });
  }

  /** Jobs that have begun. */
  get running(): number {
    return this.#active.size;
  }

  /**
   * After a start: jobs that were running are ended as far as they still run, are lost, and never run again; jobs that waited
   * wait on.
   */
  async recover(): Promise<void> {
    const { owned, environment, bootId: bootNow } = this.#options;
    clearSources(environment.jobs);
    const started = startedJobs(owned.state).filter((job) => !this.#isUpdate(job));
    const known = await environment.containment.endFormer(started);
    for (const { job, statement, bootId, mayReboot, startedAt } of started) {
      const outcome: Outcome = { type: mayReboot && bootId !== bootNow ? "rebooted" : "lost" };
      const contained = known.get(job) ?? "unknown";
      this.#endings.afterCrash({ job, statement, outcome, startedAt, contained });
    }
    this.#active.recover(owned.state);
    this.#turns.recover();
  }

  /** Whether it was an update that came to a trial: then it is answered, or left to a later start. */
  #isUpdate(job: StartedJob): boolean {
    const became = this.#active.updateOf(job);
    if (became !== undefined && became !== "on-trial") this.#endings.afterCrash(became);
    return became !== undefined;
  }

  /** Judges a delivery. `asked`: the key log was fetched for it already. */
  receive(delivery: Delivery, { watched, asked }: { watched: boolean; asked: boolean }): Reception {
    const verdict = VerifiedJob.judge(delivery.envelope, jobContext(this.#options, asked));
    if (verdict.type === "behind") return verdict;
    if (verdict.type === "refused") return this.#refusals.refuse(verdict.refusal, verdict.about);
    try {
      return this.#take(verdict.job, { delivery, watched });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { manifest, statement } = verdict.job;
      return this.#refusals.refuse(error, { job: manifest.job, statement, readers: manifest.readers });
    }
  }

  /** Somebody watches a job from now on, or from when its turn comes. */
  watch(job: string): void {
    this.#active.watch(job);
    this.#turns.watch(job);
  }

  /** Nobody watches a job any more. */
  unwatch(job: string): void {
    this.#active.unwatch(job);
    this.#turns.unwatch(job);
  }

  /** The relay takes more of a job's live output. */
  creditLive(job: string, upTo: number): void {
    this.#active.credit(job, upTo);
  }

  /** A relay is there: files that are missing are asked for. */
  connected(): void {
    this.#turns.connected();
  }

  /** Without a connection nobody watches. */
  disconnected(): void {
    this.#active.unwatchAll();
  }

  /** The key log has changed: jobs that wait are looked at again when their turn comes, so nothing is to be done now but to try. */
  keysChanged(): void {
    this.#turns.startDue();
  }

  /** Takes no more, ends what runs, and settles when every ended job has its receipt on the disk. */
  async stop(by: EndCause): Promise<void> {
    this.#stopping.abort();
    this.#active.endAll(by);
    await this.#turns.stop();
  }

  #take(job: VerifiedJob, { delivery, watched }: { delivery: Delivery; watched: boolean }): Reception {
    const { owned, environment } = this.#options;
    // Its one answer says that it did not run; whatever a later clock or key log would say of it, it does not.
    if (this.#refusals.hasRefused(job.statement)) throw refuse("job-repeated", `job ${job.manifest.job}`);
    if (job.manifest.kind !== "cancel" && this.#isBarred(job)) return this.#answerBarred(job, delivery);
    const runnable = job.open(delivery, owned.owner.sealing);
    if (runnable.kind === "cancel") this.#cancel(runnable, delivery);
    else {
      const prepared = prepare(runnable, environment);
      checkRoom(owned.state);
      this.#accept(prepared, { delivery, watched });
    }
    return { type: "taken" };
  }

  /** Throws `job-id-reused` where another statement was cancelled under this id. */
  #isBarred({ manifest, statement }: VerifiedJob): boolean {
    const barred = barredStatement(this.#options.owned.state, manifest.job);
    if (barred !== undefined && barred !== statement) throw refuse("job-id-reused", `job ${manifest.job}`);
    return barred !== undefined;
  }

  /** It was cancelled before it came: it goes through the ledger to its receipt without running. */
  #answerBarred(job: VerifiedJob, delivery: Delivery): Reception {
    const { owned, onReceipt, log } = this.#options;
    const { job: id } = job.manifest;
    owned.write("answer barred job", (state) => answerBarred(state, this.#endings.standing(), { job, delivery }));
    log.info({ job: id }, "a job came that was cancelled before");
    onReceipt();
    return { type: "taken" };
  }

  /** Done at once: no turn, no lock. */
  #cancel({ job, body }: Runnable<"cancel">, delivery: Delivery): void {
    const { owned, now, bootId, onReceipt, log } = this.#options;
    const { manifest, statement, signers } = job;
    checkCancelRoom(owned.state);
    const { waited, running } = owned.write("accept cancel", (state) => {
      claim(state, job, { delivery, bootId, startedAt: now(), body: PLAIN });
      noteAccepted(state, job, { owned, now: now() });
      return carryOut(state, this.#endings.standing(), { job: manifest.job, statement, jobs: body.jobs });
    });
    log.info({ job: manifest.job, signers, waited: waited.length, running: running.length }, "cancel accepted");
    for (const one of waited) this.#turns.forget(one);
    for (const one of running) this.#active.end(one, "operator");
    onReceipt();
    this.#turns.startDue();
  }

  #accept(prepared: Prepared, { delivery, watched }: { delivery: Delivery; watched: boolean }): void {
    const { owned, now, bootId, log } = this.#options;
    const { runnable } = prepared;
    const { job } = runnable;
    const startedAt = this.#turns.mayBeginNow(prepared) ? now() : undefined;
    owned.write("accept job", (state) => {
      claim(state, job, { delivery, bootId, startedAt, body: bodyOfTurn(runnable) });
      noteAccepted(state, job, { owned, now: now() });
    });
    log.info({ job: job.manifest.job, signers: job.signers, waits: startedAt === undefined }, "job accepted");
    if (startedAt === undefined) this.#turns.wait(prepared, { watched });
    else this.#turns.begin(prepared, { startedAt, watched });
  }
}
