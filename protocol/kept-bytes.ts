// The first and the last bytes of a stream of any length, in memory that grows with what is kept and never beyond its limits.
import { concat } from "./bytes.ts";

const LEAST_BYTES = 1024;

/** Keeps bytes from the beginning until its limit is reached. */
export class FirstBytes {
  readonly #limit: number;
  #held: Uint8Array = new Uint8Array(0);
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Copies what there is room for, and answers how many bytes that was. */
  add(chunk: Uint8Array): number {
    const taken = chunk.subarray(0, this.#limit - this.#size);
    if (taken.length === 0) return 0;
    this.#held = grown(this.#held, { needed: this.#size + taken.length, limit: this.#limit });
    this.#held.set(taken, this.#size);
    this.#size += taken.length;
    return taken.length;
  }

  /** A view of them; good until the next `add`. */
  get bytes(): Uint8Array {
    return this.#held.subarray(0, this.#size);
  }
}

/** Keeps the newest bytes, as many as its limit. */
export class LastBytes {
  readonly #limit: number;
  #held: Uint8Array = new Uint8Array(0);
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Copies what will be kept of it. */
  add(chunk: Uint8Array): void {
    if (this.#limit === 0) return;
    const kept = chunk.subarray(Math.max(0, chunk.length - this.#limit));
    // Until it is as large as its limit it holds everything, so that a place in it is a place in the stream.
    this.#held = grown(this.#held, { needed: this.#size + chunk.length, limit: this.#limit });
    const at = (this.#size + chunk.length - kept.length) % this.#limit;
    const first = kept.subarray(0, this.#limit - at);
    this.#held.set(first, at);
    this.#held.set(kept.subarray(first.length), 0);
    this.#size += chunk.length;
  }

  /** A copy of them, in order. */
  get bytes(): Uint8Array {
    if (this.#size <= this.#limit) return this.#held.slice(0, this.#size);
    const at = this.#size % this.#limit;
    return concat(this.#held.subarray(at), this.#held.subarray(0, at));
  }
}

function grown(held: Uint8Array, { needed, limit }: { readonly needed: number; readonly limit: number }): Uint8Array {
  if (needed <= held.length || held.length === limit) return held;
  const larger = new Uint8Array(Math.min(limit, Math.max(needed, held.length * 2, LEAST_BYTES)));
  larger.set(held);
  return larger;
}
