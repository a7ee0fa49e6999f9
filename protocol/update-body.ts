// The body of an update: a version of the agent, the release that names its files, and the one for the device's platform (SPEC 8.10).
import * as v from "valibot";
import { fromBase64url } from "./bytes.ts";
import { Digest, label, readFields, whole } from "./fields.ts";
import type { JobFile } from "./job-file.ts";
import { MAX_BODY_BYTES, MAX_FILE_BYTES, MAX_RELEASE_CHARS } from "./limits.ts";
import { Platform } from "./platform.ts";
import { Version } from "./version.ts";

/** The fields of a file that a job brings (8.8), but for a place: where it goes is the agent's own matter. */
const Archive = v.strictObject({
  blob: Digest,
  size: whole(1, MAX_FILE_BYTES),
  sha256: Digest,
  key: Digest,
});

const UpdateBody = v.strictObject({
  /** 32 random bytes, as under every body. */
  salt: Digest,
  label: v.exactOptional(label(120)),
  version: Version,
  platform: Platform,
  /** The release's envelope, base64url. */
  release: v.pipe(
    v.string(),
    v.maxLength(MAX_RELEASE_CHARS),
    v.check((spelling) => fromBase64url(spelling) !== undefined, "unpadded base64url"),
  ),
  archive: Archive,
});
export type UpdateBody = Readonly<v.InferOutput<typeof UpdateBody>>;

/** Throws a `json-*` or `field-*` refusal. */
export function readUpdateBody(bytes: Uint8Array): UpdateBody {
  return readFields(UpdateBody, bytes, MAX_BODY_BYTES);
}

/** What has to come before its turn, under the name that it has while it is on the device. */
export function archiveFile({ archive }: Pick<UpdateBody, "archive">): JobFile {
  return { path: "update", ...archive };
}
