// Messages that a relay and a device alone have for each other (SPEC 10.4); wire.ts says who takes which.
import * as v from "valibot";
import { Bytes, Digest, Id, Seq } from "./fields.ts";
import { chars, rid } from "./wire-fields.ts";

// --- Relay to device ---

/** Parts: the job's envelope, this device's wrap, the sealed body. `watched`: somebody waits for live output. */
export const JobDelivery = v.strictObject({ type: v.literal("job"), job: Id, watched: v.boolean() });
export const Watched = v.strictObject({ type: v.literal("watched"), job: Id });
/** Nobody watches any more. */
export const Unwatched = v.strictObject({ type: v.literal("unwatched"), job: Id });
/** Bytes of sealed chunks that the device may have sent since it last sent the wraps. Never fewer than were granted before. */
export const LiveCredit = v.strictObject({ type: v.literal("live-credit"), job: Id, upTo: Bytes });
/** Roster entries about this device, as parts, in order. */
export const DeviceEntries = v.strictObject({ type: v.literal("device-entries") });

/** From where a device goes on with a result. */
export const ResultStat = v.strictObject({ type: v.literal("result-stat"), rid, received: Bytes });
/** Part: bytes of a sealed file from `offset` on; `size` is the whole's. */
export const BlobAnswer = v.strictObject({ type: v.literal("blob"), rid, size: Bytes });

// --- Device to relay ---

/** Part: the enrolment request. `proof` is the token's, base64url. */
export const Enrol = v.strictObject({ type: v.literal("enrol"), rid, proof: v.exactOptional(Digest) });
/** The job is in the device's ledger, or was refused without an answer: the relay need not send it again. `refused` proves nothing. */
export const Taken = v.strictObject({ type: v.literal("taken"), job: Id, refused: v.exactOptional(chars(64)) });
/** Part: the wraps for the readers (`index` 0) or a sealed live chunk. Forwarded to watchers, never stored. */
export const Live = v.strictObject({ type: v.literal("live"), job: Id, index: Seq });
/** Part: bytes of a result from `offset` on. */
export const ResultPart = v.strictObject({ type: v.literal("result-part"), rid, job: Id, offset: Bytes, size: Bytes });
/** Part: the receipt's envelope. Its result, if it has one, was sent before. */
export const ReceiptUpload = v.strictObject({
  type: v.literal("receipt"),
  rid,
  job: Id,
  seq: Seq,
  /** `false`: it has none, so that what was begun of one is dropped. */
  result: v.exactOptional(v.boolean()),
});
/** How much of a result of this size has come. */
export const StatResult = v.strictObject({ type: v.literal("stat-result"), rid, job: Id, size: Bytes });
/** Part: the binding report's envelope; it takes the place of the one before. */
export const ReportUpload = v.strictObject({ type: v.literal("report"), rid });
/** Part: the inventory's envelope. */
export const InventoryUpload = v.strictObject({ type: v.literal("inventory"), rid });

/** A sealed file of a job that was sent to this device, from `offset` on. */
export const ReadBlob = v.strictObject({ type: v.literal("read-blob"), rid, job: Id, blob: Digest, offset: Bytes });
