// A token bucket that may be overdrawn: whoever takes too much learns how long to wait until it is paid back.

export type Rate = { readonly burst: number; readonly perSecond: number };

export class Bucket {
  readonly #rate: Rate;
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  /** Takes tokens, there or not, and answers how many are owed; 0 where there were enough. */
  take(tokens: number, nowMs: number): number {
    const gained = (Math.max(0, nowMs - this.#atMs) * this.#rate.perSecond) / 1000;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + gained) - tokens;
    this.#atMs = nowMs;
    return Math.max(0, -this.#tokens);
  }

  /** Milliseconds until this many owed tokens are paid back. */
  waitMs(owed: number): number {
    return Math.ceil((owed * 1000) / this.#rate.perSecond);
  }
}
