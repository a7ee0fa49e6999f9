// The content of a sealed file that has come, opened piece by piece and checked to its end.
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { fromBase64url } from "../../protocol/bytes.ts";
import type { JobFile } from "../../protocol/job-file.ts";
import { refuse } from "../../protocol/refusal.ts";
import { chunkCount, openChunk, SEALED_CHUNK_BYTES } from "../../protocol/stream.ts";

type Opening = Pick<JobFile, "blob" | "key" | "size" | "sha256">;

/**
 * Each chunk's content in order. Throws `file-digest` where one does not open, and at the end where the whole is of another SHA-256: until then
 * what came may be anything.
 */
export async function* openedChunks(sealed: string, file: Opening): AsyncGenerator<Uint8Array, void> {
  await using from = await open(sealed, "r");
  const hash = createHash("sha256");
  const count = chunkCount(file.size);
  for (let index = 0; index < count; index++) {
    const chunk = await nextChunk(from, file, index);
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("base64url") !== file.sha256) throw refuse("file-digest", `content of ${file.blob}`);
}

async function nextChunk(from: FileHandle, { key, blob, size }: Opening, index: number): Promise<Uint8Array> {
  const last = index === chunkCount(size) - 1;
  const { buffer, bytesRead } = await from.read(new Uint8Array(SEALED_CHUNK_BYTES), 0, SEALED_CHUNK_BYTES);
  const chunk = openChunk(fromBase64url(key) ?? new Uint8Array(0), { index, last }, buffer.subarray(0, bytesRead));
  if (chunk === undefined) throw refuse("file-digest", `chunk ${index} of ${blob} does not open`);
  return chunk;
}
