// The body of a fetch: one file of the device, which is to come back as the job's result (SPEC 8.9).
import * as v from "valibot";
import { Digest, label, readFields, whole } from "./fields.ts";
import { isFileName, isFilePlace } from "./job-file.ts";
import { MAX_BODY_BYTES, MAX_FILE_BYTES, MAX_PATH_CHARS } from "./limits.ts";

const FetchBody = v.strictObject({
  /** 32 random bytes, as under every body. */
  salt: Digest,
  label: v.exactOptional(label(120)),
  /** Absolute, and real: no link leads to it. */
  path: v.pipe(
    v.string(),
    v.maxLength(MAX_PATH_CHARS),
    v.check((path) => isFilePlace(path) && !isFileName(path), "an absolute path"),
  ),
  /** A larger file is not sent. */
  maxBytes: whole(0, MAX_FILE_BYTES),
});
export type FetchBody = Readonly<v.InferOutput<typeof FetchBody>>;

/** Throws a `json-*` or `field-*` refusal. */
export function readFetchBody(bytes: Uint8Array): FetchBody {
  return readFields(FetchBody, bytes, MAX_BODY_BYTES);
}
