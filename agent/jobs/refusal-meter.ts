// Refusals of bytes that nobody known has signed: a few a minute are written down, the rest are counted, none is answered with proof.
import { MAX_JOURNALED_REFUSALS_PER_MINUTE } from "../limits.ts";

const MINUTE_MS = 60_000;

export class RefusalMeter {
  #minute = 0;
  #written = 0;
  #uncounted = 0;

  /**
   * Whether this refusal is to be written down, and how many were not since the last that was. A clock that is set back
   * begins a new minute.
   */
  admit(now: number): { readonly write: boolean; readonly unwritten: number } {
    const minute = Math.floor(now / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#written = 0;
    }
    if (this.#written >= MAX_JOURNALED_REFUSALS_PER_MINUTE) {
      this.#uncounted++;
      return { write: false, unwritten: this.#uncounted };
    }
    this.#written++;
    const unwritten = this.#uncounted;
    this.#uncounted = 0;
    return { write: true, unwritten };
  }
}
