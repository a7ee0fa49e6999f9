// Whose turn is next of the jobs that wait in the queue. An update of the agent goes alone: from when its turn has come nothing begins
// before it, and it begins when nothing else is being done.
import { UPDATE_LOCK } from "./prepared.ts";
import type { TurnQueue, Waiting } from "./turn-queue.ts";
import { wallClock } from "./wall-clock.ts";

export class TurnTaking {
  readonly #queue: TurnQueue;
  /** An update whose turn has come, in the queue until nothing else is being done. */
  #alone: Waiting | undefined;

  constructor(queue: TurnQueue) {
    this.#queue = queue;
  }

  /** Out of the queue. `isIdle`: nothing is being done. */
  next(now: number, { isIdle }: { readonly isIdle: boolean }): Waiting | undefined {
    if (this.#alone !== undefined && this.#queue.has(this.#alone.job)) return isIdle ? this.#takeAlone() : undefined;
    const next = this.#queue.take(now, () => wallClock(now));
    if (next?.lock !== UPDATE_LOCK || isIdle) return next;
    this.#queue.add(next);
    this.#alone = next;
    return undefined;
  }

  #takeAlone(): Waiting | undefined {
    const alone = this.#alone;
    if (alone !== undefined) this.#queue.remove(alone.job);
    this.#alone = undefined;
    return alone;
  }
}
