// How often one address may dial, fail to log in, and ask for what a stranger may ask; what it overdraws it must wait for.
import { networkOf } from "./address.ts";
import { Bucket } from "./bucket.ts";
import { ADDRESS_BURST, ADDRESS_PER_SECOND, MAX_ADDRESSES } from "./limits.ts";
import { Trouble } from "./trouble.ts";

export class Diallers {
  readonly #ticks: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(ticks: () => number) {
    this.#ticks = ticks;
  }

  /** As `take`, and throws `rate-limited` where the address did not have as much. */
  charge(address: string, cost: number): void {
    if (!this.take(address, cost)) throw new Trouble("rate-limited", "wait a minute");
  }

  /** Takes from the address's allowance, and says whether it had as much. */
  take(address: string, cost: number): boolean {
    const network = networkOf(address);
    const now = this.#ticks();
    const bucket =
      this.#buckets.get(network) ?? new Bucket({ burst: ADDRESS_BURST, perSecond: ADDRESS_PER_SECOND }, now);
    // Set anew, so that the first of the map is the one longest unused.
    this.#buckets.delete(network);
    this.#buckets.set(network, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_ADDRESSES && oldest !== undefined) this.#buckets.delete(oldest);
    return bucket.take(cost, now) === 0;
  }
}
