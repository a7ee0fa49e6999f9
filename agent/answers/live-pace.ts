// How much of a job's live output may be sent now, and for how long the job may be held up for it: a count, without clock or socket.
//
// Credit: the relay says up to which byte it takes; nothing beyond is sent. Patience: holding the job uses it up, what is sent earns
// it back. So a watcher that takes some keeps the job at its own pace, one that stalls holds it for `stallMs`, and all of it together
// never takes more than `totalMs`: a relay that means harm delays a job by that and changes nothing else of it.
import { LIVE_FIRST_BYTES } from "../../protocol/limits.ts";

export type PaceBounds = {
  /** Longest hold without anything being taken. */
  readonly stallMs: number;
  /** Whoever takes fewer bytes a second misses some. */
  readonly slowestPerSecond: number;
  /** Longest time for which one job is held up in all. */
  readonly totalMs: number;
  /** A shorter hold is not worth it. */
  readonly leastMs: number;
};

export class LivePace {
  readonly #bounds: PaceBounds;
  #sent = 0;
  #upTo = 0;
  #patienceMs: number;
  #leftMs: number;
  #heldAtMs: number | undefined;

  constructor(bounds: PaceBounds) {
    this.#bounds = bounds;
    this.#patienceMs = bounds.stallMs;
    this.#leftMs = bounds.totalMs;
  }

  /** The wraps were sent: credit counts from here. */
  begin(): void {
    this.#sent = 0;
    this.#upTo = LIVE_FIRST_BYTES;
  }

  /** Credit is never taken back. */
  grant(upTo: number): void {
    this.#upTo = Math.max(this.#upTo, upTo);
  }

  /** Bytes that may be sent. */
  get room(): number {
    return this.#upTo - this.#sent;
  }

  sent(bytes: number): void {
    this.#sent += bytes;
    const earnedMs = (bytes * 1000) / this.#bounds.slowestPerSecond;
    this.#patienceMs = Math.min(this.#bounds.stallMs, this.#patienceMs + earnedMs);
  }

  /** Milliseconds for which the job may be held from now on, or go on being held; 0 where it may not. */
  hold(nowMs: number): number {
    const isHeld = this.#heldAtMs !== undefined;
    this.#spend(nowMs);
    const mayMs = Math.min(this.#patienceMs, this.#leftMs);
    if (mayMs < (isHeld ? 1 : this.#bounds.leastMs)) return 0;
    this.#heldAtMs = nowMs;
    return mayMs;
  }

  release(nowMs: number): void {
    this.#spend(nowMs);
  }

  #spend(nowMs: number): void {
    const heldMs = this.#heldAtMs === undefined ? 0 : Math.max(0, nowMs - this.#heldAtMs);
    this.#heldAtMs = undefined;
    this.#patienceMs = Math.max(0, this.#patienceMs - heldMs);
    this.#leftMs = Math.max(0, this.#leftMs - heldMs);
  }
}
