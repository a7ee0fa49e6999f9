// The body of a cancel: which jobs shall not go on, each named by what was signed (SPEC 8.6).
import * as v from "valibot";
import { Digest, Id, readFields, Time } from "./fields.ts";
import { MAX_BODY_BYTES, MAX_CANCELLED_JOBS } from "./limits.ts";

const CancelledJob = v.strictObject({
  job: Id,
  /** Statement id: a job of another statement under this id is left alone. */
  statement: Digest,
  /** The job's own: until then a device that has not got it keeps in mind that it may not run. */
  expiresAt: Time,
});
export type CancelledJob = Readonly<v.InferOutput<typeof CancelledJob>>;

const CancelBody = v.strictObject({
  /** 32 random bytes, as under every body. */
  salt: Digest,
  jobs: v.pipe(
    v.array(CancelledJob),
    v.minLength(1),
    v.maxLength(MAX_CANCELLED_JOBS),
    v.check((jobs) => new Set(jobs.map(({ job }) => job)).size === jobs.length, "distinct jobs"),
  ),
});
export type CancelBody = Readonly<v.InferOutput<typeof CancelBody>>;

/** Throws a `json-*` or `field-*` refusal. */
export function readCancelBody(bytes: Uint8Array): CancelBody {
  return readFields(CancelBody, bytes, MAX_BODY_BYTES);
}
