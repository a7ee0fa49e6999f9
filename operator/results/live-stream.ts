// What one device streams while a job runs: opened chunk by chunk, remembered as a receipt would keep it, and held
// against what the device signed afterwards.
import { createHash } from "node:crypto";
import { equal } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { FirstBytes, LastBytes } from "../../protocol/kept-bytes.ts";
import { joinLive, type KeptStream, type LiveChunk, readLive } from "../../protocol/output.ts";
import type { Stream } from "../../protocol/outcome.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import type { SealingPair } from "../../protocol/seal.ts";

/** The newest bytes are held up to twice what a receipt may keep, so that its end can be compared. */
const HELD = 2;

export type LiveReader = {
  readonly readers: readonly string[];
  readonly statement: string;
  readonly pair: SealingPair;
  /** The job's output limit: more than this of a stream's end is in no receipt. */
  readonly outputBytes: number;
};

/** A chunk, and how many bytes of its stream before it did not come. */
export type ReadChunk = LiveChunk & { readonly missed: number };

export class LiveStream {
  readonly #reader: LiveReader;
  readonly #streamed: Readonly<Record<Stream, Streamed>>;
  readonly #sum = createHash("sha256");
  #opened: { readonly contentKey: Uint8Array; readonly wraps: string } | undefined;
  /** Frames that came in order after the wraps; nothing once one was missing. */
  #frames: number | undefined = 0;
  #last = 0;

  constructor(reader: LiveReader) {
    this.#reader = reader;
    this.#streamed = { stdout: new Streamed(reader.outputBytes), stderr: new Streamed(reader.outputBytes) };
  }

  /** Whether the wraps hold a key for this client. */
  open(wraps: Uint8Array): boolean {
    const contentKey = joinLive(wraps, this.#reader);
    if (contentKey === undefined) return false;
    this.#sum.update(wraps);
    this.#opened = { contentKey, wraps: digest(wraps) };
    return true;
  }

  /** The chunk at this place; `undefined` where it was changed, or says again what came before. */
  read(index: number, sealed: Uint8Array): ReadChunk | undefined {
    const chunk = this.#opened && readLive(this.#opened.contentKey, index, sealed);
    if (chunk === undefined) return undefined;
    const streamed = this.#streamed[chunk.stream];
    const missed = chunk.offset - streamed.size;
    if (missed < 0) return undefined;
    this.#last = index;
    this.#frames = this.#frames === undefined || index !== this.#frames + 1 ? undefined : index;
    if (this.#frames !== undefined) this.#sum.update(sealed);
    streamed.add(chunk);
    return { ...chunk, missed };
  }

  /** Place in a stream up to which it was streamed, with what was left out. */
  size(stream: Stream): number {
    return this.#streamed[stream].size;
  }

  /** Whether what was streamed is what the device signed: that it streamed it, and its output wherever both are held. */
  agreesWith({ outcome, live }: Pick<Receipt, "outcome" | "live">, kept: readonly KeptStream[]): boolean {
    return this.#isStreamOf(outcome, live) && this.#agreesWithKept(outcome, kept);
  }

  /** By the wraps nobody but the device and the readers could have sealed a chunk; by the sum of all frames not even a reader. */
  #isStreamOf(outcome: Receipt["outcome"], live: Receipt["live"]): boolean {
    if (this.#last === 0) return true;
    // An agent that went down does not remember what it had streamed.
    if (live === undefined) return isForgotten(outcome);
    if (this.#opened?.wraps !== live.wraps || this.#last > live.frames) return false;
    if (this.#frames === undefined || this.#frames < live.frames) return true;
    return this.#sum.copy().digest("base64url") === live.sha256;
  }

  #agreesWithKept(outcome: Receipt["outcome"], kept: readonly KeptStream[]): boolean {
    return (["stdout", "stderr"] as const).every((stream) => {
      const streamed = this.#streamed[stream];
      const signed = kept.find((one) => one.stream === stream);
      if (signed === undefined) return streamed.size === 0 || isForgotten(outcome);
      const { size, head, tail } = signed;
      return streamed.size <= size && streamed.agrees(0, head) && streamed.agrees(size - tail.length, tail);
    });
  }
}

function isForgotten({ type }: Receipt["outcome"]): boolean {
  return type === "lost" || type === "rebooted";
}

/** The first bytes of a stream, up to a gap, and the newest after the last gap. */
class Streamed {
  size = 0;
  readonly #keep: number;
  readonly #head: FirstBytes;
  #hasGap = false;
  #newest: LastBytes;

  constructor(keep: number) {
    this.#keep = keep;
    this.#head = new FirstBytes(keep);
    this.#newest = new LastBytes(keep * HELD);
  }

  add({ offset, bytes }: LiveChunk): void {
    if (offset > this.size) {
      this.#hasGap = true;
      this.#newest = new LastBytes(this.#keep * HELD);
    }
    if (!this.#hasGap) this.#head.add(bytes);
    this.#newest.add(bytes);
    this.size = offset + bytes.length;
  }

  /** Whether the bytes that are remembered agree with these, which stand from `at` on in the whole. */
  agrees(at: number, bytes: Uint8Array): boolean {
    const newest = this.#newest.bytes;
    const held = [
      { at: 0, bytes: this.#head.bytes },
      { at: this.size - newest.length, bytes: newest },
    ];
    return held.every((one) => overlapAgrees(one, { at, bytes }));
  }
}

type Placed = { readonly at: number; readonly bytes: Uint8Array };

function overlapAgrees(one: Placed, other: Placed): boolean {
  const start = Math.max(one.at, other.at);
  const end = Math.min(one.at + one.bytes.length, other.at + other.bytes.length);
  if (start >= end) return true;
  return equal(
    one.bytes.subarray(start - one.at, end - one.at),
    other.bytes.subarray(start - other.at, end - other.at),
  );
}
