// What one device streams while a job runs: opened chunk by chunk, remembered as a receipt would keep it, and held
// against the signed output afterwards.
import { equal } from "../protocol/bytes.ts";
import { joinLive, type KeptStream, type LiveChunk, readLive } from "../protocol/output.ts";
import type { Stream } from "../protocol/outcome.ts";
import type { SealingPair } from "../protocol/seal.ts";

/** The newest bytes are held up to twice what a receipt may keep, so that its end can be compared. */
const HELD = 2;

export type LiveReader = {
  readonly readers: readonly string[];
  readonly statement: string;
  readonly pair: SealingPair;
  /** The job's output limit: more than this of a stream's end is in no receipt. */
  readonly outputBytes: number;
};

export class LiveStream {
  readonly #reader: LiveReader;
  readonly #streamed: Readonly<Record<Stream, Streamed>>;
  #contentKey: Uint8Array | undefined;

  constructor(reader: LiveReader) {
    this.#reader = reader;
    this.#streamed = { stdout: new Streamed(reader.outputBytes), stderr: new Streamed(reader.outputBytes) };
  }

  /** Whether the wraps hold a key for this client. */
  open(wraps: Uint8Array): boolean {
    this.#contentKey = joinLive(wraps, this.#reader);
    return this.#contentKey !== undefined;
  }

  /** The chunk at this place; `undefined` where it was changed. */
  read(index: number, sealed: Uint8Array): LiveChunk | undefined {
    const chunk = this.#contentKey && readLive(this.#contentKey, index, sealed);
    if (chunk?.type === "output") this.#streamed[chunk.stream].add(chunk.bytes);
    return chunk;
  }

  /** Bytes of a stream that came without a gap from its beginning. */
  size(stream: Stream): number {
    return this.#streamed[stream].size;
  }

  /** Whether what was streamed is a beginning of what the device signed, wherever both are held. */
  agreesWith(kept: readonly KeptStream[]): boolean {
    return (["stdout", "stderr"] as const).every((stream) => {
      const streamed = this.#streamed[stream];
      const signed = kept.find((one) => one.stream === stream);
      if (signed === undefined) return streamed.size === 0;
      const { size, head, tail } = signed;
      return streamed.size <= size && streamed.agrees(0, head) && streamed.agrees(size - tail.length, tail);
    });
  }
}

/** The first and the newest bytes of a stream. */
class Streamed {
  size = 0;
  readonly #keep: number;
  #head: Uint8Array[] = [];
  #headSize = 0;
  #held: Uint8Array[] = [];
  #heldAt = 0;

  constructor(keep: number) {
    this.#keep = keep;
  }

  add(bytes: Uint8Array): void {
    if (this.#headSize < this.#keep) {
      this.#head.push(bytes.slice(0, this.#keep - this.#headSize));
      this.#headSize += Math.min(bytes.length, this.#keep - this.#headSize);
    }
    this.#held.push(bytes.slice());
    this.size += bytes.length;
    let drop = 0;
    for (const chunk of this.#held) {
      if (this.size - this.#heldAt - chunk.length < this.#keep * HELD) break;
      this.#heldAt += chunk.length;
      drop++;
    }
    if (drop > 0) this.#held = this.#held.slice(drop);
  }

  /** Whether the bytes that are remembered agree with these, which stand from `at` on in the whole. */
  agrees(at: number, bytes: Uint8Array): boolean {
    return overlapsAgree(0, this.#head, { at, bytes }) && overlapsAgree(this.#heldAt, this.#held, { at, bytes });
  }
}

function overlapsAgree(
  from: number,
  chunks: readonly Uint8Array[],
  { at, bytes }: { readonly at: number; readonly bytes: Uint8Array },
): boolean {
  let place = from;
  return chunks.every((chunk) => {
    const start = Math.max(place, at);
    const end = Math.min(place + chunk.length, at + bytes.length);
    const isEqual =
      start >= end || equal(chunk.subarray(start - place, end - place), bytes.subarray(start - at, end - at));
    place += chunk.length;
    return isEqual;
  });
}
