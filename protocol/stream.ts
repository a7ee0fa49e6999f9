// A sealed stream: chunks of up to 64 KiB under one content key, ordered, and cut short only noticeably (SPEC 7.2).
// The construction is STREAM as age uses it: the nonce is an 11-byte counter and a byte that marks the last chunk.
import { primitives } from "#primitives";
import { concat } from "./bytes.ts";
import { CHUNK_BYTES } from "./limits.ts";

export const TAG_BYTES = 16;
const EMPTY = new Uint8Array(0);

/** Bytes of a whole chunk, sealed. */
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;

/** Chunks of a stream of so many bytes. */
export function chunkCount(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / CHUNK_BYTES));
}

/** Bytes of the sealed stream of so many bytes. */
export function sealedSize(bytes: number): number {
  return bytes + TAG_BYTES * chunkCount(bytes);
}

/** The place of a chunk in its stream. A content key seals each place once. */
export type ChunkPlace = { readonly index: number; readonly last: boolean };

export function sealChunk(contentKey: Uint8Array, place: ChunkPlace, plaintext: Uint8Array): Uint8Array {
  if (plaintext.length > CHUNK_BYTES) throw new Error(`internal error: chunk of ${plaintext.length} bytes`);
  return primitives.sealChaCha({ key: contentKey, nonce: nonceOf(place), aad: EMPTY, data: plaintext });
}

/** The chunk's plaintext; `undefined` where it is not this key's chunk of this place. */
export function openChunk(contentKey: Uint8Array, place: ChunkPlace, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length > SEALED_CHUNK_BYTES) return undefined;
  return primitives.openChaCha({ key: contentKey, nonce: nonceOf(place), aad: EMPTY, data: sealed });
}

/** Seals a whole value as one stream. An empty value is one empty chunk. */
export function sealStream(contentKey: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const count = chunkCount(plaintext.length);
  const chunks = Array.from({ length: count }, (_, index) =>
    sealChunk(
      contentKey,
      { index, last: index === count - 1 },
      plaintext.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
    ),
  );
  return concat(...chunks);
}

/** Opens a whole stream; `undefined` where any chunk is missing, changed, moved or added. */
export function openStream(contentKey: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const step = SEALED_CHUNK_BYTES;
  const count = Math.max(1, Math.ceil(sealed.length / step));
  const chunks: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const chunk = openChunk(
      contentKey,
      { index, last: index === count - 1 },
      sealed.subarray(index * step, (index + 1) * step),
    );
    if (chunk === undefined) return undefined;
    chunks.push(chunk);
  }
  return concat(...chunks);
}

function nonceOf({ index, last }: ChunkPlace): Uint8Array {
  const nonce = new Uint8Array(12);
  // A counter below 2^53 in the last eight of its eleven bytes, big-endian.
  new DataView(nonce.buffer).setBigUint64(3, BigInt(index), false);
  nonce[11] = last ? 1 : 0;
  return nonce;
}
