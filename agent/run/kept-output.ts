// What is kept of one stream: its first and its last bytes, with the middle counted. Memory stays within the limit.
import { concat } from "../../protocol/bytes.ts";
import type { KeptStream } from "../../protocol/output.ts";
import type { Stream } from "../../protocol/outcome.ts";

export class KeptOutput {
  readonly #stream: Stream;
  readonly #headLimit: number;
  readonly #tailLimit: number;
  readonly #head: Uint8Array[] = [];
  #headBytes = 0;
  #tail: Uint8Array[] = [];
  #tailBytes = 0;
  #size = 0;

  /** Of a stream longer than `limit`, half of the limit is kept from its beginning and half from its end. */
  constructor(stream: Stream, limit: number) {
    this.#stream = stream;
    this.#headLimit = Math.ceil(limit / 2);
    this.#tailLimit = Math.floor(limit / 2);
  }

  get size(): number {
    return this.#size;
  }

  add(chunk: Uint8Array): void {
    this.#size += chunk.length;
    const room = this.#headLimit - this.#headBytes;
    const head = chunk.subarray(0, room);
    if (head.length > 0) {
      this.#head.push(head);
      this.#headBytes += head.length;
    }
    this.#addTail(chunk.subarray(head.length));
  }

  kept(): KeptStream {
    return {
      stream: this.#stream,
      size: this.#size,
      head: concat(...this.#head),
      tail: this.#tailLimit === 0 ? new Uint8Array(0) : concat(...this.#tail).subarray(-this.#tailLimit),
    };
  }

  // Whole chunks are dropped from the front while the rest still fills the limit, so the tail holds less than a chunk too much.
  #addTail(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#tailLimit === 0) return;
    this.#tail.push(chunk);
    this.#tailBytes += chunk.length;
    let dropped = 0;
    for (const old of this.#tail) {
      if (this.#tailBytes - old.length < this.#tailLimit) break;
      this.#tailBytes -= old.length;
      dropped++;
    }
    if (dropped > 0) this.#tail = this.#tail.slice(dropped);
  }
}
