// What is kept of one stream: its first and its last bytes, with the middle counted. Memory stays within the limit.
import { FirstBytes, LastBytes } from "../../protocol/kept-bytes.ts";
import type { KeptStream } from "../../protocol/output.ts";
import type { Stream } from "../../protocol/outcome.ts";

export class KeptOutput {
  readonly #stream: Stream;
  readonly #head: FirstBytes;
  readonly #tail: LastBytes;
  #size = 0;

  /** Of a stream longer than `limit`, half of the limit is kept from its beginning and half from its end. */
  constructor(stream: Stream, limit: number) {
    this.#stream = stream;
    this.#head = new FirstBytes(Math.ceil(limit / 2));
    this.#tail = new LastBytes(Math.floor(limit / 2));
  }

  get size(): number {
    return this.#size;
  }

  /** Copies what it keeps of the chunk. */
  add(chunk: Uint8Array): void {
    this.#size += chunk.length;
    this.#tail.add(chunk.subarray(this.#head.add(chunk)));
  }

  kept(): KeptStream {
    return { stream: this.#stream, size: this.#size, head: this.#head.bytes, tail: this.#tail.bytes };
  }
}
