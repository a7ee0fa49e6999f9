// Jobs on this device: from the relay's bytes through the one door to the ledger, a turn, a process, a receipt.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type Outcome, outcomeWords } from "../protocol/outcome.ts";
import { Refusal, refuse } from "../protocol/refusal.ts";
import type { Random } from "../protocol/seal.ts";
import { type JobContext, type Runnable, VerifiedJob } from "../protocol/verify-job.ts";
import { barredStatement } from "./barred.ts";
import { answerBarred, carryOut, noteEnded } from "./cancels.ts";
import { isDiskFull } from "./fault.ts";
import { append } from "./journal.ts";
import {
  begin,
  claim,
  claimedBy,
  type Delivery,
  finish,
  forgetExpired,
  startedJobs,
  waitingJob,
  waitingJobs,
} from "./ledger.ts";
import { DISK_RETRY_MS, MAX_RUNNING_JOBS } from "./limits.ts";
import { Fetches } from "./fetches.ts";
import { JobFiles } from "./job-files.ts";
import { endedWaiting, hasFiles, prepare, type Prepared, type PreparedRun, turnOf } from "./prepared.ts";
import { LiveOutput } from "./live.ts";
import { type Answer, answer, resultFiles, type Standing, standingOf } from "./outbox.ts";
import { addVouch, heardAtPlace, keyLogView, raiseFloor, readVouches } from "./owner.ts";
import type { OwnerState } from "./owner-state.ts";
import { type RefusedReception, Refusals } from "./refusals.ts";
import type { RelayConnection } from "./relay-connection.ts";
import { sealResult } from "./result.ts";
import { checkCancelRoom, checkRoom } from "./room.ts";
import { clearSources } from "./run/source-file.ts";
import { type EndCause, type RunEnvironment, type RunningJob, runJob } from "./run/run-job.ts";
import type { State } from "./state.ts";
import { TurnQueue } from "./turn-queue.ts";

export type AgentVersion = { readonly text: string; readonly number: number };

export type JobsOptions = {
  readonly owned: OwnerState;
  readonly environment: RunEnvironment;
  readonly bootId: string;
  readonly agent: AgentVersion;
  readonly now: () => number;
  readonly random: Random;
  readonly log: Logger;
  /** The connection of the moment, for live output. */
  readonly connection: () => RelayConnection | undefined;
  /** A receipt was written to the outbox. */
  readonly onReceipt: () => void;
  /** The state can no longer be written: the owner changed, or the disk failed. */
  readonly onFault: (error: unknown) => void;
};

/** What became of a delivery. `taken`: the relay need not send it again. */
export type Reception =
  | { readonly type: "taken" }
  | RefusedReception
  | { readonly type: "behind"; readonly seq: number };

type Active = { readonly running: RunningJob; readonly live: LiveOutput };

export class Jobs {
  readonly #options: JobsOptions;
  readonly #queue = new TurnQueue();
  readonly #active = new Map<string, Active>();
  /** Jobs whose turn has come and whose files are being placed. */
  readonly #placing = new Set<string>();
  readonly #fetches: Fetches;
  /** Jobs in the queue that somebody watches. */
  readonly #awaited = new Set<string>();
  readonly #ended = new Set<Promise<void>>();
  readonly #refusals: Refusals;
  readonly #files: JobFiles;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopping = new AbortController();

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#refusals = new Refusals({ ...options, standing: () => this.#standing() });
    this.#fetches = new Fetches(options);
    this.#files = new JobFiles({
      ...options,
      onWhole: (job) => this.#enqueue(job),
      onRefused: (job, refusal) => this.#keep(this.#endWaiting(job, refusal)),
    });
  }

  get running(): number {
    return this.#active.size;
  }

  /** After a start: jobs that were running are lost and never run again; jobs that waited wait on. */
  recover(): void {
    clearSources(this.#options.environment.jobs);
    for (const { job, statement, bootId, mayReboot, startedAt } of startedJobs(this.#options.owned.state)) {
      const outcome: Outcome = { type: mayReboot && bootId !== this.#options.bootId ? "rebooted" : "lost" };
      this.#finish({ job, statement, outcome, startedAt, contained: "unknown" });
    }
    this.#fetches.recover(resultFiles(this.#options.owned.state));
    const waiting = waitingJobs(this.#options.owned.state);
    this.#files.recover(new Set(waiting));
    for (const job of waiting) {
      const prepared = this.#resume(job);
      if (prepared !== undefined) this.#wait(prepared);
    }
    this.#startDue();
  }

  /** Judges a delivery. `asked`: the key log was fetched for it already. */
  receive(delivery: Delivery, { watched, asked }: { watched: boolean; asked: boolean }): Reception {
    const verdict = VerifiedJob.judge(delivery.envelope, this.#context(asked));
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

  #take(job: VerifiedJob, { delivery, watched }: { delivery: Delivery; watched: boolean }): Reception {
    const { owned, environment } = this.#options;
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
    if (this.#refusals.hasRefused(job.statement)) throw refuse("job-repeated", `job ${id}`);
    owned.write("answer barred job", (state) => answerBarred(state, this.#standing(), { job, delivery }));
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
      claim(state, job, { delivery, bootId, mayReboot: false, startedAt: now() });
      this.#noteAccepted(state, job);
      return carryOut(state, this.#standing(), { job: manifest.job, statement, jobs: body.jobs });
    });
    log.info({ job: manifest.job, signers, waited: waited.length, running: running.length }, "cancel accepted");
    for (const one of waited) this.#forgetWaiting(one);
    for (const one of running) {
      this.#active.get(one)?.running.end("operator");
      this.#fetches.end(one, "operator");
    }
    onReceipt();
    this.#startDue();
  }

  #forgetWaiting(job: string): void {
    this.#queue.remove(job);
    this.#files.release(job);
    this.#awaited.delete(job);
  }

  /** Somebody watches a job from now on, or from when its turn comes. */
  watch(job: string): void {
    this.#active.get(job)?.live.watch();
    if (this.#queue.has(job) || this.#files.has(job)) this.#awaited.add(job);
  }

  /** Nobody watches a job any more. */
  unwatch(job: string): void {
    this.#active.get(job)?.live.unwatch();
    this.#awaited.delete(job);
  }

  /** The relay takes more of a job's live output. */
  creditLive(job: string, upTo: number): void {
    this.#active.get(job)?.live.credit(upTo);
  }

  /** Without a connection nobody watches. */
  disconnected(): void {
    for (const { live } of this.#active.values()) live.unwatch();
  }

  /** The key log has changed: jobs that wait are looked at again when their turn comes, so nothing is to be done now but to try. */
  keysChanged(): void {
    this.#startDue();
  }

  /** A relay is there: files that are missing are asked for. */
  connected(): void {
    this.#files.connected();
  }

  /** Takes no more, ends what runs, and settles when every ended job has its receipt on the disk. */
  async stop(by: EndCause): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    for (const { running } of this.#active.values()) running.end(by);
    this.#fetches.endAll(by);
    await Promise.all([...this.#ended, this.#files.stop()]);
  }

  /** For its files if it has some, else for its turn. */
  #wait(prepared: Prepared): void {
    if (!hasFiles(prepared)) this.#queue.add(turnOf(prepared));
    else this.#files.fetch(prepared);
  }

  #context(asked: boolean): JobContext {
    const { owned, agent, now } = this.#options;
    const { state, owner } = owned;
    return {
      keyLog: keyLogView(state, owned.keyState),
      device: owner.device,
      class: owned.class,
      agentVersion: agent.number,
      now: Math.max(now(), owned.floor()),
      heardAt: (seq) => heardAtPlace(state, seq),
      vouches: readVouches(state),
      claimed: (job) => claimedBy(state, job),
      asked,
    };
  }

  #accept(prepared: Prepared, { delivery, watched }: { delivery: Delivery; watched: boolean }): void {
    const { owned, now, bootId, log } = this.#options;
    const { job } = prepared.runnable;
    const { lock } = turnOf(prepared);
    const mayReboot = prepared.kind === "run" && prepared.runnable.body.mayReboot;
    const { manifest, signers } = job;
    const startsNow =
      !hasFiles(prepared) && manifest.notBefore <= now() && this.#hasTurn(lock) && !this.#queue.hasDue(now());
    const startedAt = startsNow ? now() : undefined;
    owned.write("accept job", (state) => {
      claim(state, job, { delivery, bootId, mayReboot, startedAt });
      this.#noteAccepted(state, job);
    });
    log.info({ job: manifest.job, signers, waits: !startsNow }, "job accepted");
    if (startedAt !== undefined) this.#start(prepared, { startedAt, watched });
    else {
      this.#wait(prepared);
      if (watched) this.#awaited.add(manifest.job);
      this.#startDue();
    }
  }

  /** What is learnt from any accepted job, inside the caller's transaction. */
  #noteAccepted(state: State, { manifest, statement, signers }: VerifiedJob): void {
    const { owned, now } = this.#options;
    append(state, now(), { type: "accepted", job: manifest.job, statement, signers });
    for (const signer of signers) addVouch(state, signer, manifest.issuedAt);
    raiseFloor(state, manifest.issuedAt, now());
    forgetExpired(state, owned.floor());
  }

  /** Places that are taken: a job whose files are being placed has one. */
  get #busy(): number {
    return this.#active.size + this.#placing.size + this.#fetches.running;
  }

  #hasTurn(lock: string | undefined): boolean {
    return !this.#stopping.signal.aborted && this.#busy < MAX_RUNNING_JOBS && this.#queue.isFree(lock);
  }

  #start(prepared: Prepared, { startedAt, watched }: { startedAt: number; watched: boolean }): void {
    const { environment, random, connection } = this.#options;
    if (prepared.kind === "fetch") return this.#keep(this.#fetch(prepared.runnable, startedAt));
    const { job, body } = prepared.runnable;
    const { job: id, readers } = job.manifest;
    this.#queue.hold(body.lock);
    const running = runJob(prepared, environment, (stream, bytes) => live.add(stream, bytes));
    const live = new LiveOutput(
      { job: id, statement: job.statement, readers, timeMs: body.limits.timeMs },
      { random, connection, ticks: () => performance.now(), hold: running.hold },
    );
    // Sealing to the watchers takes a millisecond, in which the process starts; its output comes in a later turn.
    if (watched) live.watch();
    this.#active.set(id, { running, live });
    this.#keep(this.#end(prepared.runnable, { running, live, startedAt }));
  }

  /** Reads a file for its readers; it has a running place meanwhile. */
  async #fetch(runnable: Runnable<"fetch">, startedAt: number): Promise<void> {
    const { statement, manifest } = runnable.job;
    const { job } = manifest;
    const read = await this.#fetches.read(runnable);
    await this.#finishOnceThereIsRoom({ job, statement, startedAt, contained: "yes", ...read });
    this.#fetches.done(job);
    this.#startDue();
  }

  /** Something that a stop waits for. */
  #keep(work: Promise<void>): void {
    const kept = work.catch(this.#options.onFault);
    this.#ended.add(kept);
    void kept.finally(() => this.#ended.delete(kept));
  }

  async #end(
    { job, body }: Runnable<"run">,
    { running, live, startedAt }: { running: RunningJob; live: LiveOutput; startedAt: number },
  ): Promise<void> {
    const { outcome, kept, contained, interpreter, interpreterVersion } = await running.done;
    const streamed = live.end();
    const { statement, manifest } = job;
    const result = sealResult(kept, { readers: manifest.readers, statement, random: this.#options.random });
    const given = {
      job: manifest.job,
      statement,
      outcome,
      contained,
      ...(interpreter === undefined ? {} : { startedAt, interpreter: interpreter.slice(0, 256) }),
      ...(interpreterVersion === undefined ? {} : { interpreterVersion }),
      ...(streamed === undefined ? {} : { live: streamed }),
    };
    await this.#finishOnceThereIsRoom(result === undefined ? given : { ...given, result });
    this.#active.delete(manifest.job);
    this.#queue.release(body.lock);
    this.#startDue();
  }

  /** A full disk must not lose an answer: the job keeps its place until its receipt is written, so nothing piles up. */
  async #finishOnceThereIsRoom(given: Answer): Promise<void> {
    for (;;) {
      try {
        return this.#finish(given);
      } catch (error) {
        if (!isDiskFull(error) || this.#stopping.signal.aborted) throw error;
        this.#options.log.error({ job: given.job }, "no room to write a receipt; trying again");
        await sleep(DISK_RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  /** Ledger and receipt in one transaction: a job that has finished has exactly one answer. */
  #finish(given: Answer): void {
    const { owned, log, onReceipt } = this.#options;
    const isFirst = owned.write("finish job", (state) => {
      const wasOpen = finish(state, given.job);
      if (!wasOpen) return false;
      answer(state, this.#standing(), given);
      noteEnded(state, this.#standing(), given);
      return true;
    });
    if (!isFirst) return;
    this.#files.release(given.job);
    log.info({ job: given.job, outcome: outcomeWords(given.outcome) }, "job ended");
    onReceipt();
  }

  #standing(): Standing {
    const { owned, bootId, agent, now } = this.#options;
    const { keyState } = owned;
    return standingOf({ ...owned.owner, keyState, floor: owned.floor() }, { bootId, agent: agent.text, time: now() });
  }

  /** Starts waiting jobs whose time and turn have come, and sets the clock for the next. */
  #startDue(): void {
    const { now, onFault } = this.#options;
    clearTimeout(this.#timer);
    try {
      while (!this.#stopping.signal.aborted && this.#busy < MAX_RUNNING_JOBS) {
        const next = this.#queue.take(now());
        if (next === undefined) break;
        this.#startWaiting(next);
      }
    } catch (error) {
      return onFault(error);
    }
    const dueAt = this.#queue.nextDue(now());
    if (dueAt === undefined || this.#stopping.signal.aborted) return;
    // Node's timers hold 31 bits, and a clock may be set: so look again within the hour.
    this.#timer = setTimeout(() => this.#startDue(), Math.min(dueAt - now(), 3_600_000));
  }

  #startWaiting(job: string): void {
    const watched = this.#awaited.delete(job);
    const prepared = this.#resume(job);
    if (prepared === undefined) return;
    if (!hasFiles(prepared)) this.#begin(prepared, watched);
    else this.#keep(this.#placeAndBegin(prepared, watched));
  }

  #begin(prepared: Prepared, watched: boolean): void {
    const { owned, now, bootId } = this.#options;
    const startedAt = now();
    const { job } = prepared.runnable.job.manifest;
    if (owned.write("begin job", (state) => begin(state, job, { bootId, startedAt })))
      this.#start(prepared, { startedAt, watched });
  }

  /** It has its turn while its files are placed, and is looked at once more before they are: that takes a while. */
  async #placeAndBegin(prepared: PreparedRun, watched: boolean): Promise<void> {
    const { job, lock } = turnOf(prepared);
    this.#placing.add(job);
    this.#queue.hold(lock);
    try {
      const placed = await this.#files.place(
        prepared,
        () => !this.#stopping.signal.aborted && this.#resume(job) !== undefined,
      );
      this.#letGo(job, lock);
      if (placed !== undefined) this.#begin({ kind: "run", ...placed }, watched);
    } catch (error) {
      this.#letGo(job, lock);
      if (!(error instanceof Refusal)) throw error;
      await this.#endWaiting(job, error);
    }
    this.#startDue();
  }

  #letGo(job: string, lock: string | undefined): void {
    this.#placing.delete(job);
    this.#queue.release(lock);
  }

  /** Its files are here: it waits for its turn. */
  #enqueue(job: string): void {
    const prepared = this.#resume(job);
    if (prepared === undefined) return;
    this.#queue.add(turnOf(prepared));
    this.#startDue();
  }

  /** A job that waits will not run. */
  async #endWaiting(job: string, refusal: Refusal): Promise<void> {
    const waiting = waitingJob(this.#options.owned.state, job);
    if (waiting === undefined) return;
    const { statement } = waiting;
    await this.#finishOnceThereIsRoom({ job, statement, outcome: endedWaiting(refusal), contained: "yes" });
  }

  /** A waiting job out of the ledger, checked again; one that may not run any more gets its receipt here. */
  #resume(id: string): Prepared | undefined {
    const { owned, agent, environment, now } = this.#options;
    const waiting = waitingJob(owned.state, id);
    if (waiting === undefined) return undefined;
    try {
      const job = VerifiedJob.resume(waiting.envelope, {
        keyLog: keyLogView(owned.state, owned.keyState),
        device: owned.owner.device,
        class: owned.class,
        agentVersion: agent.number,
        now: Math.max(now(), owned.floor()),
      });
      return prepare(job.open(waiting, owned.owner.sealing), environment);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#finish({ job: waiting.job, statement: waiting.statement, outcome: endedWaiting(error), contained: "yes" });
      return undefined;
    }
  }
}
