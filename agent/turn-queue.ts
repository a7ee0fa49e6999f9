// Whose turn it is: accepted jobs in the order of acceptance, each when its time has come and its lock is free.

export type Waiting = { readonly job: string; readonly notBefore: number; readonly lock: string | undefined };

export class TurnQueue {
  readonly #waiting: Waiting[] = [];
  readonly #held = new Set<string>();

  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
  }

  remove(job: string): void {
    const index = this.#waiting.findIndex((waiting) => waiting.job === job);
    if (index >= 0) this.#waiting.splice(index, 1);
  }

  has(job: string): boolean {
    return this.#waiting.some((waiting) => waiting.job === job);
  }

  isFree(lock: string | undefined): boolean {
    return lock === undefined || !this.#held.has(lock);
  }

  hold(lock: string | undefined): void {
    if (lock !== undefined) this.#held.add(lock);
  }

  release(lock: string | undefined): void {
    if (lock !== undefined) this.#held.delete(lock);
  }

  /** Whether a job waits that could run now but for a place; a new one must not overtake it. */
  hasDue(now: number): boolean {
    return this.#waiting.some((waiting) => this.#isDue(waiting, now));
  }

  /** Takes the first job that may begin. */
  take(now: number): string | undefined {
    const index = this.#waiting.findIndex((waiting) => this.#isDue(waiting, now));
    if (index < 0) return undefined;
    return this.#waiting.splice(index, 1)[0]?.job;
  }

  /** When the next job is due that waits for its time; those that wait for a place or a lock come up when one is freed. */
  nextDue(now: number): number | undefined {
    const times = this.#waiting.map(({ notBefore }) => notBefore).filter((notBefore) => notBefore > now);
    return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b));
  }

  #isDue({ notBefore, lock }: Waiting, now: number): boolean {
    return notBefore <= now && this.isFree(lock);
  }
}
