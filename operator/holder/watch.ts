// When a key holder has to end: by its age, after sleep, or because its user has left.
import { HOLDER_SLEPT_MS } from "../limits.ts";

/** Two clocks in milliseconds: the one on the wall, which is set, and one that only counts and may stand in sleep. */
export type Clocks = { readonly wall: () => number; readonly ticks: () => number };

export type EndReason = "expired" | "slept" | "left";

export class Watch {
  readonly #clocks: Clocks;
  readonly #hasLeft: () => boolean;
  readonly #started: Moment;
  #looked: Moment;
  #lifetimeMs: number;

  constructor(lifetimeMs: number, { clocks, hasLeft }: { clocks: Clocks; hasLeft: () => boolean }) {
    this.#clocks = clocks;
    this.#hasLeft = hasLeft;
    this.#lifetimeMs = lifetimeMs;
    this.#started = this.#looked = momentOf(clocks);
  }

  /** By the clock that says more: setting the wall's back gains nothing. */
  get ageMs(): number {
    return elapsedMs(this.#started, momentOf(this.#clocks));
  }

  get leftMs(): number {
    return Math.max(0, this.#lifetimeMs - this.ageMs);
  }

  /** A lifetime can be made shorter and not longer. */
  shorten(lifetimeMs: number): void {
    this.#lifetimeMs = Math.min(this.#lifetimeMs, lifetimeMs);
  }

  /** Why to end now; called every `HOLDER_TICK_MS`, and before each answer. */
  look(): EndReason | undefined {
    const now = momentOf(this.#clocks);
    const sinceMs = elapsedMs(this.#looked, now);
    this.#looked = now;
    if (this.leftMs === 0) return "expired";
    if (sinceMs > HOLDER_SLEPT_MS) return "slept";
    return this.#hasLeft() ? "left" : undefined;
  }
}

type Moment = { readonly wall: number; readonly ticks: number };

function momentOf({ wall, ticks }: Clocks): Moment {
  return { wall: wall(), ticks: ticks() };
}

function elapsedMs(from: Moment, to: Moment): number {
  return Math.max(0, to.wall - from.wall, to.ticks - from.ticks);
}
