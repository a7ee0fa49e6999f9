// A clock that stands still until one turns it.

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Starts on Monday, 5 January 2026, 09:00 UTC. */
export class Clock {
  now = Date.UTC(2026, 0, 5, 9);

  /** Turns the clock on (or back, by a negative time) and answers what it shows then. */
  turn(ms: number): number {
    this.now += ms;
    return this.now;
  }
}
