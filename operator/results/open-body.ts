// A job's body, opened by a reader's key and held against the manifest that was signed.
import { createHash } from "node:crypto";
import { type JobWork, readWork } from "../../protocol/job-work.ts";
import { refuse } from "../../protocol/refusal.ts";
import { openStream } from "../../protocol/stream.ts";
import type { SignedJob } from "../jobs/signed-job.ts";
import { placeAmong, type Reader } from "./reader.ts";

export type SealedJob = {
  readonly sealed: Uint8Array;
  /** Wraps for the manifest's readers, in their order. */
  readonly wraps: readonly Uint8Array[];
  readonly own: readonly Reader[];
};

/** Throws `output-sealed` where it is sealed to others, `body-digest` where it is another body than the signed one. */
export async function openBody(
  { manifest, statement }: Pick<SignedJob, "manifest" | "statement">,
  { sealed, wraps, own }: SealedJob,
): Promise<JobWork> {
  const use = { purpose: "job-body", statement } as const;
  for (const reader of own) {
    const wrap = wraps[placeAmong(manifest.readers, reader)];
    const contentKey = wrap && (await reader.unwrap(wrap, use));
    const bytes = contentKey && openStream(contentKey, sealed);
    if (bytes === undefined) continue;
    if (!isNamed(bytes, manifest.body)) throw refuse("body-digest", `${bytes.length} bytes`);
    return readWork(manifest.kind, bytes);
  }
  throw refuse("output-sealed", "the job's body is sealed to other readers");
}

function isNamed(bytes: Uint8Array, { sha256, size }: { sha256: string; size: number }): boolean {
  return bytes.length === size && createHash("sha256").update(bytes).digest("base64url") === sha256;
}
