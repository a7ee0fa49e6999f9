// Accepted jobs until they are done: those that wait for their files, then for their turn, and what begins when it has come. What
// the ledger notes orders a job; when it begins, its signed body is judged anew and decides.
import { runningJobs } from "../../protocol/policy.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { isOpen } from "../../protocol/window.ts";
import type { Answer } from "../answers/outbox.ts";
import { JobFiles } from "../files/job-files.ts";
import { MAX_LOOK_MS, ROOM_RETRY_MS } from "../limits.ts";
import type { Active, Beginning } from "./active.ts";
import type { Endings } from "./endings.ts";
import type { JobsOptions } from "./jobs-options.ts";
import { judgeAgain } from "./judge-job.ts";
import { waitingForFiles, waitingJob, type WaitingJob, waitingJobs, waitingTurn } from "./ledger.ts";
import { beginRun } from "./occurrences.ts";
import {
  broughtFiles,
  placesFiles,
  prepare,
  type Prepared,
  type PreparedRun,
  signedTurn,
  type TurnTaker,
  waitingOf,
} from "./prepared.ts";
import { hasOutboxRoom } from "./room.ts";
import { TurnQueue, type Waiting } from "./turn-queue.ts";
import { TurnTaking } from "./turn-taking.ts";
import { wallClock } from "./wall-clock.ts";

export type TurnsOptions = JobsOptions & {
  readonly active: Active;
  readonly endings: Endings;
  /** The agent stops: nothing begins any more. */
  readonly stopping: AbortSignal;
};

//   accepted --> its files come --> queue --> its files are placed --> active --> ended
//       |  \_______________________/   \______________________________/ |  ^________/     comes round
//       \_______________________________________________________________/                at once
//
// A job with files has a running place and its lock from when they are being placed.

export class Turns {
  readonly #options: TurnsOptions;
  readonly #queue = new TurnQueue();
  readonly #taking = new TurnTaking(this.#queue);
  readonly #files: JobFiles;
  readonly #placing = new Set<string>();
  /** Jobs that have not begun and that somebody watches. */
  readonly #awaited = new Set<string>();
  /** What a stop waits for. */
  readonly #kept = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#files = new JobFiles({
      ...options,
      onWhole: (job) => this.#filesCame(job),
      onRefused: (job, refusal) => this.#keep(this.#filesRefused(job, refusal)),
    });
  }

  /** After a start, when what was running has its receipts: jobs that waited wait on. */
  recover(): void {
    const { state } = this.#options.owned;
    const waiting = waitingJobs(state);
    const bringing = waitingForFiles(state);
    this.#files.recover(new Set(waiting.map(({ job }) => job)));
    for (const turn of waiting) {
      if (bringing.has(turn.job) && !this.#hasFilesAgain(turn.job)) this.#queue.remove(turn.job);
      else if (!this.#queue.has(turn.job)) this.#queue.add(turn);
    }
    this.startDue();
  }

  /** Whether a job that has just come may begin at once, before all that wait. */
  mayBeginNow(prepared: Prepared): boolean {
    const now = this.#options.now();
    const waiting = waitingOf(prepared);
    if (prepared.runnable.job.manifest.runs !== undefined || broughtFiles(prepared.runnable).length > 0) return false;
    const isItsTime = isTime(waiting, now) && this.#queue.isFree(waiting.lock);
    return isItsTime && this.#hasPlace() && !this.#queue.hasDue(now, () => wallClock(now));
  }

  /** The ledger says that it has begun. */
  begin(prepared: Prepared, beginning: Beginning): void {
    const { lock } = waitingOf(prepared);
    this.#queue.hold(lock);
    this.#keep(this.#answerOf(this.#options.active.begin(prepared, beginning), lock));
  }

  /** The ledger says that it waits. */
  wait(prepared: Prepared, { watched }: { readonly watched: boolean }): void {
    const turn = waitingOf(prepared);
    if (watched) this.#awaited.add(turn.job);
    if (this.#files.fetch(prepared.runnable)) this.#queue.add(turn);
    this.startDue();
  }

  /** It has ended before its turn. */
  forget(job: string): void {
    this.#queue.remove(job);
    this.#files.release(job);
    this.#awaited.delete(job);
  }

  /** It has its receipt, or this time of it: one that comes round takes its place in the queue. */
  ended(job: string): void {
    this.#options.active.done(job);
    this.#files.release(job);
    this.#waitAgain(job);
  }

  /** Settles when nothing is under way any more: what was running has its receipt on the disk. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await Promise.all([...this.#kept, this.#files.stop()]);
  }

  /** A relay is there: files that are missing are asked for. */
  connected(): void {
    this.#files.connected();
  }

  /** Somebody watches a job from when it begins, if it waits. */
  watch(job: string): void {
    if (this.#queue.has(job) || this.#files.has(job) || this.#placing.has(job)) this.#awaited.add(job);
  }

  unwatch(job: string): void {
    this.#awaited.delete(job);
  }

  /** Starts waiting jobs whose time and turn have come, and sets the clock for the next look. */
  startDue(): void {
    const { now, onFault, stopping, endings } = this.#options;
    clearTimeout(this.#timer);
    try {
      for (const job of endings.ofExpired(this.#queue)) this.forget(job);
      while (this.#hasPlace()) {
        const next = this.#taking.next(now(), { isIdle: this.#doing() === 0 });
        if (next === undefined) break;
        this.#takeTurn(next);
      }
    } catch (error) {
      return onFault(error);
    }
    const lookAt = this.#queue.nextLook(now());
    if (lookAt === undefined || stopping.aborted) return;
    // Node's timers hold 31 bits, and a clock may be set: so look again within the hour.
    this.#timer = setTimeout(() => this.startDue(), Math.max(1, Math.min(lookAt - now(), MAX_LOOK_MS)));
  }

  #hasPlace(): boolean {
    const { owned, active, stopping } = this.#options;
    if (stopping.aborted || active.isUpdating) return false;
    return this.#doing() < runningJobs(owned.keyState.policy);
  }

  #doing(): number {
    return this.#options.active.size + this.#placing.size;
  }

  #takeTurn(turn: Waiting): void {
    const waiting = waitingJob(this.#options.owned.state, turn.job);
    const runnable = waiting === undefined ? undefined : this.#judgeAgain(waiting);
    if (waiting === undefined || runnable === undefined) return;
    const putOff = this.#putOff(turn, runnable);
    if (putOff !== undefined) return this.#queue.add(putOff);
    const prepared = this.#prepare(runnable, waiting);
    if (prepared === undefined) return;
    if (placesFiles(prepared)) this.#keep(this.#placeAndBegin(prepared));
    else if (!this.#beginWaiting(prepared)) this.#waitAgain(turn.job);
  }

  /** The turn that a job waits for instead: what the ledger notes orders it, but its signed body decides. */
  #putOff(turn: Waiting, runnable: TurnTaker): Waiting | undefined {
    const { owned, now } = this.#options;
    const signed = signedTurn(turn, runnable);
    if (!isTime(signed, now()) || !this.#queue.isFree(signed.lock)) return signed;
    if (runnable.job.manifest.runs === undefined || hasOutboxRoom(owned.state)) return undefined;
    return { ...signed, notBefore: now() + ROOM_RETRY_MS };
  }

  /** A waiting job out of the ledger, judged again; one that may not run any more gets its last receipt here. */
  #judgeAgain(waiting: WaitingJob): TurnTaker | undefined {
    try {
      return judgeAgain(waiting, this.#options);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#options.endings.ofWaiting(waiting, error);
      return undefined;
    }
  }

  /** What this machine lacks now, it may have when the job comes round again. */
  #prepare(runnable: TurnTaker, waiting: WaitingJob): Prepared | undefined {
    try {
      return prepare(runnable, this.#options.environment);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (!this.#options.endings.ofTurn(waiting, error)) this.#waitAgain(waiting.job);
      return undefined;
    }
  }

  /** Answers whether it has begun: where the clock was set back it is not due after all. */
  #beginWaiting(prepared: Prepared): boolean {
    const { owned, now, bootId, endings } = this.#options;
    const { manifest, statement } = prepared.runnable.job;
    const { job } = manifest;
    const startedAt = now();
    const isBegun = owned.write("begin job", (state) =>
      beginRun(state, { job, statement }, { bootId, now: startedAt, say: endings.sayIn(state) }),
    );
    if (isBegun) this.begin(prepared, { startedAt, watched: this.#awaited.delete(job) });
    return isBegun;
  }

  /** Placing takes a while: so it is judged once more when all files are whole, and begins in the moment in which they are placed. */
  async #placeAndBegin(prepared: PreparedRun): Promise<void> {
    const { job, lock } = waitingOf(prepared);
    let isBegun = false;
    this.#placing.add(job);
    this.#queue.hold(lock);
    const letGo = () => this.#placing.delete(job) && this.#queue.release(lock);
    try {
      await this.#files.place(prepared, {
        mayGoOn: () => this.#mayGoOn(job),
        begin: (placed) => {
          letGo();
          isBegun = this.#beginWaiting({ kind: "run", ...placed });
          return isBegun;
        },
      });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.#options.endings.ofTurnOnceThereIsRoom({ job, statement: prepared.runnable.job.statement }, error);
    } finally {
      if (!isBegun) letGo();
    }
    if (!isBegun) this.#waitAgain(job);
    this.startDue();
  }

  #mayGoOn(job: string): boolean {
    const { owned, now, stopping } = this.#options;
    const waiting = waitingJob(owned.state, job);
    const turn = waitingTurn(owned.state, job);
    if (stopping.aborted || waiting === undefined || turn === undefined) return false;
    const runnable = this.#judgeAgain(waiting);
    return runnable !== undefined && isTime(signedTurn(turn, runnable), now());
  }

  /** Into the queue, if the ledger says that it waits: what comes round, and what was not due after all. */
  #waitAgain(job: string): void {
    const turn = waitingTurn(this.#options.owned.state, job);
    if (turn !== undefined && !this.#queue.has(job)) this.#queue.add(turn);
  }

  async #answerOf(answer: Promise<Answer | undefined>, lock: string | undefined): Promise<void> {
    const given = await answer;
    // Whichever version of the agent runs next answers.
    if (given === undefined) return;
    await this.#options.endings.ofRun(given);
    this.#queue.release(lock);
    this.startDue();
  }

  /** After a start: whether the files of a job that waits are here; else they are asked for. */
  #hasFilesAgain(job: string): boolean {
    const waiting = waitingJob(this.#options.owned.state, job);
    const runnable = waiting === undefined ? undefined : this.#judgeAgain(waiting);
    return runnable !== undefined && this.#files.fetch(runnable);
  }

  #filesCame(job: string): void {
    this.#waitAgain(job);
    this.startDue();
  }

  /** They will not come: nothing of the job will run. */
  async #filesRefused(job: string, refusal: Refusal): Promise<void> {
    const waiting = waitingJob(this.#options.owned.state, job);
    if (waiting !== undefined) await this.#options.endings.ofWaitingOnceThereIsRoom(waiting, refusal);
  }

  /** A stop waits for it. */
  #keep(work: Promise<void>): void {
    const kept = work.catch(this.#options.onFault);
    this.#kept.add(kept);
    void kept.finally(() => this.#kept.delete(kept));
  }
}

function isTime({ notBefore, window }: Waiting, now: number): boolean {
  return notBefore <= now && (window === undefined || isOpen(window, wallClock(now)));
}
