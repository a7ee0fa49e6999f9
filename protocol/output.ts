// Output as it travels: the kept bytes of a job sealed to its readers, and the live stream while it runs (SPEC 7.3, 7.4).
import { digest } from "./digest.ts";
import { concat, toBase64url } from "./bytes.ts";
import { keyBytes } from "./key-state.ts";
import { CHUNK_BYTES, WRAP_BYTES } from "./limits.ts";
import type { Stream } from "./outcome.ts";
import type { Receipt, StreamSummary } from "./receipt.ts";
import { refuse } from "./refusal.ts";
import { CONTENT_KEY_BYTES, type Random, type SealingPair, unwrapKey, wrapKey, type WrapUse } from "./seal.ts";
import { openChunk, openStream, sealChunk, sealStream, TAG_BYTES } from "./stream.ts";

const SALT_BYTES = 32;

/** Bytes of one stream: those kept at its beginning and at its end. */
export type KeptStream = {
  readonly stream: Stream;
  readonly size: number;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
};

/** A sealed result, and what a receipt says of it. */
export type SealedOutput = {
  readonly sealed: Uint8Array;
  readonly result: NonNullable<Receipt["result"]>;
  readonly output: readonly StreamSummary[];
};

/**
 * Output for these readers (raw X25519 keys): a wrap for each, in order, then the sealed stream of a salt and all kept
 * bytes. The salt keeps the sums in the receipt, which everybody on the way can read, from confirming a guess.
 */
export function sealOutput(
  kept: readonly KeptStream[],
  { readers, statement, random }: { readers: readonly string[]; statement: string; random: Random },
): SealedOutput {
  const contentKey = random(CONTENT_KEY_BYTES);
  const salt = random(SALT_BYTES);
  const wraps = wrapToAll(contentKey, { readers, use: { purpose: "job-output", statement }, random });
  const plain = concat(salt, ...kept.flatMap(({ head, tail }) => [head, tail]));
  const sealed = concat(wraps, sealStream(contentKey, plain));
  return {
    sealed,
    result: { sha256: digest(sealed), size: sealed.length },
    output: kept.map((stream) => summaryOf(stream, salt)),
  };
}

function summaryOf({ stream, size, head, tail }: KeptStream, salt: Uint8Array): StreamSummary {
  return { stream, size, head: head.length, tail: tail.length, sha256: digest(concat(salt, head, tail)) };
}

/**
 * Opens a result and holds it against its receipt. `readers` are the manifest's, `pair` is one of theirs.
 * Throws `output-digest` where it is not what the device signed, `output-sealed` where `pair` is no reader's.
 */
export function openOutput(
  result: Uint8Array,
  { receipt, readers, pair }: { receipt: Receipt; readers: readonly string[]; pair: SealingPair },
): readonly KeptStream[] {
  checkResult(result, receipt);
  const contentKey = unwrapFrom(result, { readers, pair, use: outputUse(receipt) });
  return openWith(contentKey, result, { receipt, readers });
}

/** As `openOutput`, by whoever can open the wrap of this place among the readers. */
export async function openOutputBy(
  unwrap: (wrap: Uint8Array, use: WrapUse) => Promise<Uint8Array | undefined>,
  result: Uint8Array,
  { receipt, readers, place }: { receipt: Receipt; readers: readonly string[]; place: number },
): Promise<readonly KeptStream[]> {
  checkResult(result, receipt);
  const contentKey = await unwrap(wrapAt(result, place), outputUse(receipt));
  return openWith(contentKey, result, { receipt, readers });
}

function outputUse({ statement }: Receipt): WrapUse {
  return { purpose: "job-output", statement };
}

function checkResult(result: Uint8Array, receipt: Receipt): void {
  if (receipt.result?.size === result.length && receipt.result.sha256 === digest(result)) return;
  throw refuse("output-digest", `${result.length} bytes, the receipt names ${receipt.result?.size ?? 0}`);
}

function openWith(
  contentKey: Uint8Array | undefined,
  result: Uint8Array,
  { receipt, readers }: { receipt: Receipt; readers: readonly string[] },
): readonly KeptStream[] {
  const plain =
    contentKey === undefined ? undefined : openStream(contentKey, result.subarray(readers.length * WRAP_BYTES));
  if (plain === undefined) throw refuse("output-sealed");
  return cut(plain, receipt.output);
}

function cut(plain: Uint8Array, summaries: Receipt["output"]): readonly KeptStream[] {
  const salt = plain.subarray(0, SALT_BYTES);
  let at = SALT_BYTES;
  const take = (bytes: number) => plain.subarray(at, (at += bytes));
  const kept = summaries.map(({ stream, size, head, tail }) => ({ stream, size, head: take(head), tail: take(tail) }));
  const fits =
    at === plain.length && kept.every((stream, i) => summaryOf(stream, salt).sha256 === summaries[i]?.sha256);
  if (!fits) throw refuse("output-digest", "the opened bytes are not those that the device summed up");
  return kept;
}

// --- A fetched file ---

/** What a fetched file begins with: a wrap of its content key for each reader, in order. */
export function fetchedWraps(
  contentKey: Uint8Array,
  { readers, statement, random }: { readers: readonly string[]; statement: string; random: Random },
): Uint8Array {
  return wrapToAll(contentKey, { readers, use: { purpose: "job-output", statement }, random });
}

/** Bytes of the salt at the beginning of a result's stream. */
export const RESULT_SALT_BYTES = SALT_BYTES;

/** The content key of a fetched file, by whoever can open the wrap of this place among the readers. */
export async function fetchedKey(
  unwrap: (wrap: Uint8Array, use: WrapUse) => Promise<Uint8Array | undefined>,
  wraps: Uint8Array,
  { statement, place }: { statement: string; place: number },
): Promise<Uint8Array> {
  const contentKey = await unwrap(wrapAt(wraps, place), { purpose: "job-output", statement });
  if (contentKey === undefined) throw refuse("output-sealed");
  return contentKey;
}

// --- Live ---

const STREAMS: readonly Stream[] = ["stdout", "stderr"];
const LIVE_MARK = { stdout: 1, stderr: 2 } as const;
/** Before the bytes: which stream, and how many bytes of it came before. */
const LIVE_HEAD_BYTES = 9;
/** Bytes of output in one live chunk. */
export const LIVE_BYTES = CHUNK_BYTES - LIVE_HEAD_BYTES;
/** What a live chunk is longer by, sealed, than the output in it. */
export const LIVE_OVERHEAD_BYTES = LIVE_HEAD_BYTES + TAG_BYTES;

/** Output as it comes. `offset` is its place in its stream: where it is beyond what came before, bytes were left out. */
export type LiveChunk = { readonly stream: Stream; readonly offset: number; readonly bytes: Uint8Array };

/** The first part of a live stream: a wrap for each reader, in order. */
export function openLive(
  contentKey: Uint8Array,
  { readers, statement, random }: { readers: readonly string[]; statement: string; random: Random },
): Uint8Array {
  return wrapToAll(contentKey, { readers, use: { purpose: "job-live", statement }, random });
}

/** The content key of a live stream, for one of its readers; `undefined` for anybody else. */
export function joinLive(
  wraps: Uint8Array,
  { readers, statement, pair }: { readers: readonly string[]; statement: string; pair: SealingPair },
): Uint8Array | undefined {
  return unwrapFrom(wraps, { readers, pair, use: { purpose: "job-live", statement } });
}

export function sealLive(contentKey: Uint8Array, index: number, chunk: LiveChunk): Uint8Array {
  const plain = new Uint8Array(LIVE_HEAD_BYTES + chunk.bytes.length);
  plain[0] = LIVE_MARK[chunk.stream];
  new DataView(plain.buffer).setBigUint64(1, BigInt(chunk.offset));
  plain.set(chunk.bytes, LIVE_HEAD_BYTES);
  return sealChunk(contentKey, { index, last: false }, plain);
}

/** The chunk at this index; `undefined` where it was changed or moved, or is none. */
export function readLive(contentKey: Uint8Array, index: number, sealed: Uint8Array): LiveChunk | undefined {
  const plain = openChunk(contentKey, { index, last: false }, sealed);
  if (plain === undefined || plain.length < LIVE_HEAD_BYTES) return undefined;
  const stream = STREAMS.find((one) => LIVE_MARK[one] === plain[0]);
  const offset = Number(new DataView(plain.buffer, plain.byteOffset).getBigUint64(1));
  if (stream === undefined || !Number.isSafeInteger(offset)) return undefined;
  return { stream, offset, bytes: plain.subarray(LIVE_HEAD_BYTES) };
}

function wrapToAll(
  contentKey: Uint8Array,
  { readers, use, random }: { readers: readonly string[]; use: WrapUse; random: Random },
): Uint8Array {
  return concat(...readers.map((reader) => wrapKey(contentKey, { recipient: keyBytes(reader), use, random })));
}

function unwrapFrom(
  wraps: Uint8Array,
  { readers, pair, use }: { readers: readonly string[]; pair: SealingPair; use: WrapUse },
): Uint8Array | undefined {
  const index = readers.indexOf(toBase64url(pair.publicKey));
  if (index < 0) return undefined;
  return unwrapKey(wrapAt(wraps, index), { pair, use });
}

function wrapAt(wraps: Uint8Array, index: number): Uint8Array {
  return wraps.subarray(index * WRAP_BYTES, (index + 1) * WRAP_BYTES);
}
