// How jobs end on this device: what the ledger says then and the receipt in one transaction, so that what has finished has exactly
// one answer; and afterwards whoever has to know it.
import { setTimeout as sleep } from "node:timers/promises";
import { type Outcome, outcomeWords } from "../../protocol/outcome.ts";
import type { Refusal } from "../../protocol/refusal.ts";
import { type Answer, answer, type Standing, standingOf } from "../answers/outbox.ts";
import { isDiskFull } from "../fault.ts";
import { DISK_RETRY_MS } from "../limits.ts";
import type { State } from "../state/state.ts";
import { noteEnded } from "./cancels.ts";
import { endExpired } from "./expired.ts";
import type { JobsOptions } from "./jobs-options.ts";
import { endedWaiting } from "./judge-job.ts";
import type { WaitingJob } from "./ledger.ts";
import { beginRun, endJob, endRun, type Say } from "./occurrences.ts";
import type { TurnQueue } from "./turn-queue.ts";

export type EndingsOptions = Pick<JobsOptions, "owned" | "bootId" | "agent" | "now" | "log" | "onReceipt"> & {
  /** The agent stops: a full disk is not waited for any longer. */
  readonly stopping: AbortSignal;
  /** A job, or this time of one that comes round, has its receipt on the disk. */
  readonly onEnded: (job: string) => void;
};

type Of = Pick<WaitingJob, "job" | "statement">;
/** Whether it was open; nothing is written where it was not. */
type End = (state: State, say: Say) => boolean;

export class Endings {
  readonly #options: EndingsOptions;

  constructor(options: EndingsOptions) {
    this.#options = options;
  }

  /** What this device is now, for a receipt. */
  standing(): Standing {
    const { owned, bootId, agent, now } = this.#options;
    const { keyState } = owned;
    return standingOf({ ...owned.owner, keyState, floor: owned.floor() }, { bootId, agent: agent.text, time: now() });
  }

  /** Writes receipts inside the caller's transaction. */
  sayIn(state: State): Say {
    return (given) => void answer(state, this.standing(), given);
  }

  /** It was running when the agent or the system went down; one that comes round goes on with what is next. */
  afterCrash(given: Answer): void {
    this.#end(given, (state, say) => endRun(state, given, { say }));
  }

  /** It ran, until now. A full disk must not lose the answer: the job keeps its place until it is written, so nothing piles up. */
  async ofRun(given: Answer): Promise<void> {
    await this.#onceThereIsRoom(given.job, () => {
      const liveUntil = this.#options.now();
      this.#end(given, (state, say) =>
        endsAll(given.outcome) ? endJob(state, given, say) : endRun(state, given, { say, liveUntil }),
      );
    });
  }

  /** It waits, and may not run any more: its last receipt. */
  ofWaiting(of: Of, refusal: Refusal): void {
    const given = refused(of, refusal);
    this.#end(given, (state, say) => endJob(state, given, say));
  }

  /** The same, written as soon as the disk has room. */
  async ofWaitingOnceThereIsRoom(of: Of, refusal: Refusal): Promise<void> {
    await this.#onceThereIsRoom(of.job, () => this.ofWaiting(of, refusal));
  }

  /** Its turn has come and it cannot run here now; what comes round is tried again. Answers whether it was its turn still. */
  ofTurn(of: Of, refusal: Refusal): boolean {
    const { bootId, now } = this.#options;
    const given = refused(of, refusal);
    return this.#end(
      given,
      (state, say) => beginRun(state, of, { bootId, now: now(), say }) && endRun(state, given, { say }),
    );
  }

  /** The same, written as soon as the disk has room. */
  async ofTurnOnceThereIsRoom(of: Of, refusal: Refusal): Promise<void> {
    await this.#onceThereIsRoom(of.job, () => this.ofTurn(of, refusal));
  }

  /** Ends what has expired in the queue, and answers which jobs those are. */
  ofExpired(queue: TurnQueue): readonly string[] {
    const { owned, now, log, onReceipt } = this.#options;
    const jobs = endExpired(queue, { owned, now: now(), sayIn: (state) => this.sayIn(state) });
    if (jobs.length === 0) return jobs;
    log.info({ jobs: jobs.length }, "jobs expired before their turn");
    onReceipt();
    return jobs;
  }

  #end(given: Answer, end: End): boolean {
    const { owned, log, onEnded, onReceipt } = this.#options;
    const { job, outcome } = given;
    const wasOpen = owned.write("finish job", (state) => {
      const isFirst = end(state, this.sayIn(state));
      if (isFirst) noteEnded(state, this.standing(), given);
      return isFirst;
    });
    if (!wasOpen) return false;
    log.info({ job, outcome: outcomeWords(outcome) }, "job ended");
    onEnded(job);
    onReceipt();
    return true;
  }

  async #onceThereIsRoom(job: string, write: () => void): Promise<void> {
    const { stopping, log } = this.#options;
    for (;;) {
      try {
        return write();
      } catch (error) {
        if (!isDiskFull(error) || stopping.aborted) throw error;
        log.error({ job }, "no room to write a receipt; trying again");
        await sleep(DISK_RETRY_MS, undefined, { signal: stopping }).catch(() => undefined);
      }
    }
  }
}

function refused({ job, statement }: Of, refusal: Refusal): Answer {
  return { job, statement, outcome: endedWaiting(refusal), contained: "yes" };
}

/** Whether nothing of a job that runs several times comes after this: what ends one occurrence only is no word about the others. */
function endsAll(outcome: Outcome): boolean {
  return outcome.type === "cancelled" && outcome.by !== "agent-stop";
}
