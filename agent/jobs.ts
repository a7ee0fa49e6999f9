// Jobs on this device: from the relay's bytes through the one door to the ledger, a turn, a process, a receipt.
import { setTimeout as sleep } from "node:timers/promises";
import { type Outcome, outcomeWords } from "../protocol/outcome.ts";
import { Refusal, refuse } from "../protocol/refusal.ts";
import { runningJobs } from "../protocol/policy.ts";
import { isOpen } from "../protocol/window.ts";
import { type Runnable, VerifiedJob } from "../protocol/verify-job.ts";
import { noteAccepted } from "./accept.ts";
import { barredStatement } from "./barred.ts";
import { answerBarred, carryOut, noteEnded } from "./cancels.ts";
import { endExpired } from "./expired.ts";
import { isDiskFull } from "./fault.ts";
import { endedWaiting, endsAll, jobContext, judgeAgain } from "./judge-job.ts";
import {
  claim,
  PLAIN,
  type Delivery,
  startedJobs,
  waitingJob,
  type WaitingJob,
  waitingJobs,
  waitingTurn,
} from "./ledger.ts";
import { DISK_RETRY_MS, MAX_LOOK_MS, ROOM_RETRY_MS } from "./limits.ts";
import type { JobsOptions } from "./jobs-options.ts";
import { LiveOutput } from "./live.ts";
import { beginRun, endJob, endRun } from "./occurrences.ts";
import { type Answer, answer, type Standing, standingOf } from "./outbox.ts";
import { type RefusedReception, Refusals } from "./refusals.ts";
import { sealResult } from "./result.ts";
import { checkCancelRoom, checkRoom, hasOutboxRoom } from "./room.ts";
import { clearSources } from "./run/source-file.ts";
import { type EndCause, type PreparedJob, prepareJob, type RunningJob, runJob } from "./run/run-job.ts";
import type { State } from "./state.ts";
import { TurnQueue, type Waiting, waitingOf } from "./turn-queue.ts";
import { wallClock } from "./wall-clock.ts";

/** What became of a delivery. `taken`: the relay need not send it again. */
export type Reception =
  | { readonly type: "taken" }
  | RefusedReception
  | { readonly type: "behind"; readonly seq: number };

/** `isWhole`: nothing of the job comes after it. `liveUntil`: as for `endRun`. */
type Ending = { readonly isWhole?: boolean; readonly liveUntil?: number };

type Active = { readonly running: RunningJob; readonly live: LiveOutput };

export class Jobs {
  readonly #options: JobsOptions;
  readonly #queue = new TurnQueue();
  readonly #active = new Map<string, Active>();
  /** Jobs in the queue that somebody watches. */
  readonly #awaited = new Set<string>();
  readonly #ended = new Set<Promise<void>>();
  readonly #refusals: Refusals;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopping = new AbortController();

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#refusals = new Refusals({ ...options, standing: () => this.#standing() });
  }

  get running(): number {
    return this.#active.size;
  }

  /** After a start: what former jobs left running is ended, they are lost and never run again; jobs that waited wait on. */
  async recover(): Promise<void> {
    clearSources(this.#options.environment.jobs);
    const started = startedJobs(this.#options.owned.state);
    const known = await this.#options.environment.containment.endFormer(started);
    for (const { job, statement, bootId, mayReboot, startedAt } of started) {
      const outcome: Outcome = { type: mayReboot && bootId !== this.#options.bootId ? "rebooted" : "lost" };
      this.#finish({ job, statement, outcome, startedAt, contained: known.get(job) ?? "unknown" });
    }
    for (const waiting of waitingJobs(this.#options.owned.state)) {
      if (!this.#queue.has(waiting.job)) this.#queue.add(waiting);
    }
    this.#startDue();
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

  #take(job: VerifiedJob, { delivery, watched }: { delivery: Delivery; watched: boolean }): Reception {
    const { owned, environment } = this.#options;
    // Its one answer says that it did not run; whatever a later clock or key log would say of it, it does not.
    if (this.#refusals.hasRefused(job.statement)) throw refuse("job-repeated", `job ${job.manifest.job}`);
    if (job.manifest.kind !== "cancel" && this.#isBarred(job)) return this.#answerBarred(job, delivery);
    const runnable = job.open(delivery, owned.owner.sealing);
    if (runnable.kind === "cancel") this.#cancel(runnable, delivery);
    else {
      const prepared = prepareJob(runnable, environment);
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
      claim(state, job, { delivery, bootId, startedAt: now(), body: PLAIN });
      noteAccepted(state, job, { owned, now: now() });
      return carryOut(state, this.#standing(), { job: manifest.job, statement, jobs: body.jobs });
    });
    log.info({ job: manifest.job, signers, waited: waited.length, running: running.length }, "cancel accepted");
    for (const one of waited) this.#forgetWaiting(one);
    for (const one of running) this.#active.get(one)?.running.end("operator");
    onReceipt();
    this.#startDue();
  }

  #forgetWaiting(job: string): void {
    this.#queue.remove(job);
    this.#awaited.delete(job);
  }

  /** Somebody watches a job from now on, or from when its turn comes. */
  watch(job: string): void {
    this.#active.get(job)?.live.watch();
    if (this.#queue.has(job)) this.#awaited.add(job);
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

  /** Takes no more, ends what runs, and settles when every ended job has its receipt on the disk. */
  async stop(by: EndCause): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    for (const { running } of this.#active.values()) running.end(by);
    await Promise.all(this.#ended);
  }

  #accept(prepared: PreparedJob, { delivery, watched }: { delivery: Delivery; watched: boolean }): void {
    const { owned, now, bootId, log } = this.#options;
    const { job, body } = prepared.runnable;
    const { manifest, signers } = job;
    const startsNow = manifest.runs === undefined && this.#hasTurn(waitingOf(prepared.runnable));
    const startedAt = startsNow ? now() : undefined;
    owned.write("accept job", (state) => {
      claim(state, job, { delivery, bootId, startedAt, body });
      noteAccepted(state, job, { owned, now: now() });
    });
    log.info({ job: manifest.job, signers, waits: !startsNow }, "job accepted");
    if (startedAt !== undefined) this.#start(prepared, { startedAt, watched });
    else {
      this.#queue.add(waitingOf(prepared.runnable));
      if (watched) this.#awaited.add(manifest.job);
      this.#startDue();
    }
  }

  /** Whether a job that has just come may begin before all that wait. */
  #hasTurn(waiting: Waiting): boolean {
    const now = this.#options.now();
    return this.#hasPlace() && this.#mayBegin(waiting) && !this.#queue.hasDue(now, () => wallClock(now));
  }

  #hasPlace(): boolean {
    const { policy } = this.#options.owned.keyState;
    return !this.#stopping.signal.aborted && this.#active.size < runningJobs(policy);
  }

  #mayBegin({ notBefore, lock, window }: Waiting): boolean {
    const now = this.#options.now();
    return notBefore <= now && this.#queue.isFree(lock) && (window === undefined || isOpen(window, wallClock(now)));
  }

  #start(prepared: PreparedJob, { startedAt, watched }: { startedAt: number; watched: boolean }): void {
    const { environment, random, connection, onFault } = this.#options;
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
    const ended = this.#end(prepared.runnable, { running, live, startedAt }).catch(onFault);
    this.#ended.add(ended);
    void ended.finally(() => this.#ended.delete(ended));
  }

  async #end(
    { job, body }: Runnable<"run">,
    { running, live, startedAt }: { running: RunningJob; live: LiveOutput; startedAt: number },
  ): Promise<void> {
    const { outcome, kept, contained, interpreter, interpreterVersion, unenforced = [] } = await running.done;
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
      ...(unenforced.length === 0 ? {} : { unenforced }),
    };
    await this.#finishOnceThereIsRoom(result === undefined ? given : { ...given, result });
    this.#queue.release(body.lock);
    this.#startDue();
  }

  /** A full disk must not lose an answer: the job keeps its place until its receipt is written, so nothing piles up. */
  async #finishOnceThereIsRoom(given: Answer): Promise<void> {
    for (;;) {
      try {
        return this.#finish(given, { isWhole: endsAll(given.outcome), liveUntil: this.#options.now() });
      } catch (error) {
        if (!isDiskFull(error) || this.#stopping.signal.aborted) throw error;
        this.#options.log.error({ job: given.job }, "no room to write a receipt; trying again");
        await sleep(DISK_RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  /** Ledger and receipt in one transaction: what has finished has exactly one answer. */
  #finish(given: Answer, { isWhole = false, liveUntil }: Ending = {}): void {
    const { owned } = this.#options;
    const isFirst = owned.write("finish job", (state) => {
      const say = this.#sayIn(state);
      const wasOpen = isWhole ? endJob(state, given, say) : endRun(state, given, { say, liveUntil });
      if (wasOpen) noteEnded(state, this.#standing(), given);
      return wasOpen;
    });
    if (isFirst) this.#sayEnded(given);
  }

  #sayIn(state: State): (given: Answer) => void {
    return (given) => void answer(state, this.#standing(), given);
  }

  /** After the commit: who waits for receipts hears of it, and a job that comes round takes its place in the queue. */
  #sayEnded({ job, outcome }: Answer): void {
    const { owned, log, onReceipt } = this.#options;
    log.info({ job, outcome: outcomeWords(outcome) }, "job ended");
    this.#active.delete(job);
    const next = waitingTurn(owned.state, job);
    if (next !== undefined) this.#queue.add(next);
    onReceipt();
  }

  #standing(): Standing {
    const { owned, bootId, agent, now } = this.#options;
    const { keyState } = owned;
    return standingOf({ ...owned.owner, keyState, floor: owned.floor() }, { bootId, agent: agent.text, time: now() });
  }

  /** Starts waiting jobs whose time and turn have come, and sets the clock for the next look. */
  #startDue(): void {
    const { now, onFault } = this.#options;
    clearTimeout(this.#timer);
    try {
      this.#endExpired();
      while (this.#hasPlace()) {
        const next = this.#queue.take(now(), () => wallClock(now()));
        if (next === undefined) break;
        this.#startWaiting(next);
      }
    } catch (error) {
      return onFault(error);
    }
    const lookAt = this.#queue.nextLook(now());
    if (lookAt === undefined || this.#stopping.signal.aborted) return;
    // Node's timers hold 31 bits, and a clock may be set: so look again within the hour.
    this.#timer = setTimeout(() => this.#startDue(), Math.max(1, Math.min(lookAt - now(), MAX_LOOK_MS)));
  }

  #endExpired(): void {
    const { owned, now, log, onReceipt } = this.#options;
    const jobs = endExpired(this.#queue, { owned, now: now(), sayIn: (state) => this.#sayIn(state) });
    if (jobs.length === 0) return;
    for (const job of jobs) this.#awaited.delete(job);
    log.info({ jobs: jobs.length }, "jobs expired before their turn");
    onReceipt();
  }

  #startWaiting(turn: Waiting): void {
    const { owned, now, bootId } = this.#options;
    const waiting = waitingJob(owned.state, turn.job);
    const runnable = waiting === undefined ? undefined : this.#resume(waiting);
    if (waiting === undefined || runnable === undefined) return;
    const putOff = this.#putOff(turn, runnable);
    if (putOff !== undefined) return this.#queue.add(putOff);
    const prepared = this.#prepare(runnable, waiting);
    if (prepared === undefined) return;
    const startedAt = now();
    const isBegun = owned.write("begin job", (state) =>
      beginRun(state, waiting, { bootId, now: startedAt, say: this.#sayIn(state) }),
    );
    if (isBegun) this.#start(prepared, { startedAt, watched: this.#awaited.delete(turn.job) });
    else this.#waitAgain(turn.job);
  }

  /** The turn that a job waits for instead: what the ledger notes orders it, but its signed body decides. */
  #putOff(turn: Waiting, { job, body: { lock, window } }: Runnable<"run">): Waiting | undefined {
    const { owned, now } = this.#options;
    const signed = { ...turn, lock, window };
    if (!this.#mayBegin(signed)) return signed;
    if (job.manifest.runs === undefined || hasOutboxRoom(owned.state)) return undefined;
    return { ...signed, notBefore: now() + ROOM_RETRY_MS };
  }

  /** A waiting job out of the ledger, judged again; one that may not run any more gets its last receipt here. */
  #resume(waiting: WaitingJob): Runnable<"run"> | undefined {
    try {
      return judgeAgain(waiting, this.#options);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { job, statement } = waiting;
      this.#finish({ job, statement, outcome: endedWaiting(error), contained: "yes" }, { isWhole: true });
      return undefined;
    }
  }

  /** What this machine lacks now, it may have when the job comes round again. */
  #prepare(runnable: Runnable<"run">, { job, statement }: WaitingJob): PreparedJob | undefined {
    const { owned, environment, bootId, now } = this.#options;
    try {
      return prepareJob(runnable, environment);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const given = { job, statement, outcome: endedWaiting(error), contained: "yes" } as const;
      const isFirst = owned.write("finish job", (state) => {
        const say = this.#sayIn(state);
        return beginRun(state, given, { bootId, now: now(), say }) && endRun(state, given, { say });
      });
      if (isFirst) this.#sayEnded(given);
      else this.#waitAgain(job);
      return undefined;
    }
  }

  /** It was not due after all: the clock was set back. */
  #waitAgain(job: string): void {
    const turn = waitingTurn(this.#options.owned.state, job);
    if (turn !== undefined) this.#queue.add(turn);
  }
}
