// A receipt: the device's signed answer to one job, counted and chained to the answer before it (SPEC 9).
import * as v from "valibot";
import { readEnvelopeOf, signPayload, statementId } from "./envelope.ts";
import { Bytes, Digest, Id, LogPlace, label, readFields, Seq, Time, whole } from "./fields.ts";
import { PlatformLimit } from "./job-body.ts";
import { keyBytes } from "./key-state.ts";
import { MAX_FORKS, MAX_OCCURRENCES, MAX_OPERATORS, MAX_RECEIPT_BYTES } from "./limits.ts";
import { Outcome, Stream } from "./outcome.ts";
import { refuse } from "./refusal.ts";
import { Occurrence } from "./runs.ts";
import type { Signer } from "./signature.ts";
import { checkSignedBy } from "./signed-by.ts";
import { encodeStrict } from "./strict-json.ts";

const StreamSummary = v.strictObject({
  stream: Stream,
  /** Bytes that the job wrote. */
  size: Bytes,
  /** Of these, the first `head` and the last `tail` were kept. */
  head: Bytes,
  tail: Bytes,
  /** SHA-256 of the result's salt and the kept bytes, first then last: it confirms no guess of them. */
  sha256: Digest,
});
export type StreamSummary = Readonly<v.InferOutput<typeof StreamSummary>>;

const Fields = v.strictObject({
  tenant: Digest,
  device: Digest,
  /** 1 for a device's first receipt, then one more each. */
  seq: Seq,
  /** Id of the receipt before; of the enrolment request for the first. */
  prev: Digest,
  job: Id,
  /** Statement id of the job: what was run is what was signed. */
  statement: Digest,
  /** Of a job that runs several times: which of its occurrences this answers. Absent where the job was refused as a whole. */
  occurrence: v.exactOptional(Occurrence),
  /** Beside `occurrence`: how many are still to come; 0 in the last receipt of the job. */
  runsLeft: v.exactOptional(whole(0, MAX_OCCURRENCES - 1)),
  outcome: Outcome,
  /** Absent where nothing was started. */
  startedAt: v.exactOptional(Time),
  finishedAt: Time,
  output: v.pipe(v.array(StreamSummary), v.maxLength(2)),
  /** The sealed output as uploaded: wraps for the readers, then the stream. Absent where there is none. */
  result: v.exactOptional(v.strictObject({ sha256: Digest, size: Bytes })),
  /**
   * What was streamed while it ran: how many frames after the wraps, SHA-256 of the wraps, and of all frames as they were sent,
   * the wraps first. Absent where nobody watched.
   */
  live: v.exactOptional(v.strictObject({ frames: Bytes, wraps: Digest, sha256: Digest })),
  /** Whether the job's whole process tree was seen to end. `left`: some of it lives on, as its signer had said. */
  contained: v.picklist(["yes", "no", "unknown", "left"]),
  /** Limits of the body that this platform could not apply. */
  unenforced: v.exactOptional(v.pipe(v.array(PlatformLimit), v.minLength(1), v.maxLength(3))),
  /** The interpreter that ran, such as `/usr/bin/bash`. */
  interpreter: v.exactOptional(label(256)),
  /** What it says of its version, such as `5.2.15(1)-release`; absent where it says none, or had not said it in time. */
  interpreterVersion: v.exactOptional(label(64)),
  /** The key log as the device knows it. */
  keyHead: LogPlace,
  forks: v.pipe(v.array(Digest), v.maxLength(MAX_FORKS + MAX_OPERATORS)),
  /** The device's journal after the entry for this receipt. */
  journal: v.strictObject({ seq: Seq, hash: Digest }),
  bootId: label(64),
  time: Time,
  /** `behind`: the system's clock is before a time that was signed and seen. */
  clock: v.picklist(["ok", "behind"]),
  agent: label(32),
});

/** Occurrence and rest come together; a range of missed ones ends with the receipt's own. */
export const Receipt = v.pipe(
  Fields,
  v.check(
    ({ occurrence, runsLeft }) => (occurrence === undefined) === (runsLeft === undefined),
    "runsLeft beside an occurrence",
  ),
  v.check(
    ({ outcome, occurrence = 0 }) => outcome.type !== "missed" || outcome.from <= occurrence,
    "a range of missed occurrences that ends with this one",
  ),
);
export type Receipt = Readonly<v.InferOutput<typeof Receipt>>;

export function signReceipt(receipt: Receipt, signer: Signer): { bytes: Uint8Array; id: string } {
  const bytes = signPayload("receipt", encodeStrict(receipt), [signer]);
  return { bytes, id: statementId(readEnvelopeOf("receipt", bytes)) };
}

/**
 * A receipt signed by the device whose raw key is `sig`. Its place in the device's chain is `checkReceiptChain`'s matter.
 * Throws `signature-bad`, `signer-unknown`, `tenant-other` or `device-other`, or a refusal of its form.
 */
export function readReceipt(
  bytes: Uint8Array,
  { sig, tenant }: { sig: string; tenant: string },
): { receipt: Receipt; id: string } {
  const envelope = readEnvelopeOf("receipt", bytes);
  const device = checkSignedBy(envelope, keyBytes(sig));
  const receipt = readFields(Receipt, envelope.payload, MAX_RECEIPT_BYTES);
  if (receipt.tenant !== tenant) throw refuse("tenant-other", `tenant ${receipt.tenant}`);
  if (receipt.device !== device) throw refuse("device-other", `device ${receipt.device}`);
  return { receipt, id: statementId(envelope) };
}

/** Throws `receipt-chain` unless `next` stands right after `before`. */
export function checkReceiptChain(before: { readonly seq: number; readonly id: string }, next: Receipt): void {
  if (next.seq !== before.seq + 1) throw refuse("receipt-chain", `receipt ${next.seq} after ${before.seq}`);
  if (next.prev !== before.id)
    throw refuse("receipt-chain", `receipt ${next.seq} follows ${next.prev}, not ${before.id}`);
}
