// Live output that waits to be sent: bytes of a stream in order, gathered into blocks that each fill at most one frame.
import { concat } from "../../protocol/bytes.ts";
import { LIVE_BYTES, type LiveChunk } from "../../protocol/output.ts";
import type { Stream } from "../../protocol/outcome.ts";

/** Beyond it the pieces of a block are put together: a job that writes byte by byte must not cost a view for each. */
const MAX_PIECES = 64;

type Block = { readonly stream: Stream; offset: number; pieces: Uint8Array[]; length: number };

export class LiveBlocks {
  #blocks: Block[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of the block that goes next; 0 where nothing waits. */
  get next(): number {
    return this.#blocks[0]?.length ?? 0;
  }

  /** Holds on to the chunk. What follows a stream's newest block goes into it while there is room. */
  add({ stream, offset, bytes }: LiveChunk): void {
    const last = this.#blocks.findLast((block) => block.stream === stream);
    const fits = last !== undefined && last.offset + last.length === offset ? LIVE_BYTES - last.length : 0;
    if (last !== undefined) append(last, bytes.subarray(0, fits));
    for (let at = fits; at < bytes.length; at += LIVE_BYTES) {
      const piece = bytes.subarray(at, at + LIVE_BYTES);
      this.#blocks.push({ stream, offset: offset + at, pieces: [piece], length: piece.length });
    }
    this.#bytes += bytes.length;
  }

  /** Takes up to this many bytes of the first block. */
  take(most: number): LiveChunk | undefined {
    const [block] = this.#blocks;
    if (block === undefined) return undefined;
    const whole = concat(...block.pieces);
    const bytes = whole.subarray(0, most);
    const chunk = { stream: block.stream, offset: block.offset, bytes };
    if (bytes.length === whole.length) this.#blocks.shift();
    else
      Object.assign(block, {
        offset: block.offset + most,
        pieces: [whole.subarray(most)],
        length: whole.length - most,
      });
    this.#bytes -= bytes.length;
    return chunk;
  }

  clear(): void {
    this.#blocks = [];
    this.#bytes = 0;
  }
}

function append(block: Block, piece: Uint8Array): void {
  if (piece.length === 0) return;
  block.pieces.push(piece);
  block.length += piece.length;
  if (block.pieces.length > MAX_PIECES) block.pieces = [concat(...block.pieces)];
}
