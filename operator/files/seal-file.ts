// A local file as it goes to a relay: read twice and never held. The first time its digests are made; the second time the same sealed
// bytes, part by part. A file that changed in between is not sent: two contents under one key would give both away.
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import * as v from "valibot";
import { toBase64url } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { type JobFile, JobFiles } from "../../protocol/job-file.ts";
import { BLOB_PART_BYTES, CHUNK_BYTES } from "../../protocol/limits.ts";
import { CONTENT_KEY_BYTES, type Random } from "../../protocol/seal.ts";
import { chunkCount, SEALED_CHUNK_BYTES, sealChunk, sealedSize } from "../../protocol/stream.ts";
import { Fault, systemCode } from "../fault.ts";
import type { World } from "../world.ts";
import type { LocalFile } from "./file-options.ts";

export type SealedFile = {
  readonly local: string;
  /** What the body of a job says of it. */
  readonly entry: JobFile;
  /** Bytes of the sealed whole. */
  readonly size: number;
  readonly key: Uint8Array;
  /** SHA-256 of each part. */
  readonly parts: readonly string[];
};

const CHUNKS_OF_PART = BLOB_PART_BYTES / SEALED_CHUNK_BYTES;

/** Each under a key of its own. Throws `misuse` where a body may not name them together, besides the below. */
export async function sealFiles({ random }: World, files: readonly LocalFile[]): Promise<readonly SealedFile[]> {
  const sealed: SealedFile[] = [];
  for (const file of files) sealed.push(await sealFile(file, random));
  if (files.length === 0) return sealed;
  const [issue] =
    v.safeParse(
      JobFiles,
      sealed.map(({ entry }) => entry),
    ).issues ?? [];
  if (issue !== undefined) throw new Fault("misuse", `--file: ${issue.expected ?? issue.message}`);
  return sealed;
}

/** What a body says of them. */
export function filesField(files: readonly SealedFile[]): { readonly files?: JobFile[] } {
  return files.length === 0 ? {} : { files: files.map(({ entry }) => entry) };
}

/** Reads a file once, under a fresh key. Throws `file-missing` or `file-changed`. */
export async function sealFile({ local, path, size, mode, owner }: LocalFile, random: Random): Promise<SealedFile> {
  const key = random(CONTENT_KEY_BYTES);
  const content = createHash("sha256");
  const sealed = createHash("sha256");
  const parts: string[] = [];
  await using file = await opened(local);
  for (let first = 0; first < chunkCount(size); first += CHUNKS_OF_PART) {
    const plain = await plainPart(file, { local, first, size });
    content.update(plain);
    const part = sealPart(plain, { key, first, count: chunkCount(size) });
    sealed.update(part);
    parts.push(digest(part));
  }
  const named = { blob: sealed.digest("base64url"), sha256: content.digest("base64url"), key: toBase64url(key) };
  const entry = { path, size, ...named, mode, ...(owner === undefined ? {} : { owner }) };
  return { local, entry, size: sealedSize(size), key, parts };
}

/** The sealed part at this offset, which is a multiple of `BLOB_PART_BYTES`. Throws `file-changed` or `file-missing`. */
export async function sealedPartAt(
  { local, entry: { size }, key, parts }: SealedFile,
  offset: number,
): Promise<Uint8Array> {
  const at = offset / BLOB_PART_BYTES;
  const first = at * CHUNKS_OF_PART;
  await using file = await opened(local);
  const part = sealPart(await plainPart(file, { local, first, size }), { key, first, count: chunkCount(size) });
  if (digest(part) !== parts[at]) throw new Fault("file-changed", local);
  return part;
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw new Fault("file-missing", `${path} (${code})`, { cause: error });
  }
}

/** The content of the chunks of one part. */
async function plainPart(
  file: FileHandle,
  { local, first, size }: { local: string; first: number; size: number },
): Promise<Uint8Array> {
  const start = first * CHUNK_BYTES;
  const plain = new Uint8Array(Math.min(CHUNKS_OF_PART * CHUNK_BYTES, size - start));
  for (let at = 0; at < plain.length; ) {
    const { bytesRead } = await file.read(plain, at, plain.length - at, start + at);
    if (bytesRead === 0) throw new Fault("file-changed", local);
    at += bytesRead;
  }
  return plain;
}

function sealPart(
  plain: Uint8Array,
  { key, first, count }: { key: Uint8Array; first: number; count: number },
): Uint8Array {
  const chunks = Array.from({ length: chunkCount(plain.length) }, (_unused, i) =>
    sealChunk(
      key,
      { index: first + i, last: first + i === count - 1 },
      plain.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
    ),
  );
  return new Uint8Array(Buffer.concat(chunks));
}
