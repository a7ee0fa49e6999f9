// The job manifest, as it is signed: what, for whom, when; readable by the relay, which gains nothing from it (SPEC 8.1).
import * as v from "valibot";
import { Digest, Id, LogPlace, readFields, SealingKey, Time, whole } from "./fields.ts";
import { MAX_BODY_BYTES, MAX_READERS, MAX_TARGETS } from "./limits.ts";
import { JobKind } from "./policy.ts";
import { Runs } from "./runs.ts";

const isDistinct = (items: string[]) => new Set(items).size === items.length;

const Fields = v.strictObject({
  tenant: Digest,
  job: Id,
  /** One for all manifests of one request: a job for a thousand devices is several manifests. */
  batch: Id,
  kind: JobKind,
  /** Ids of the devices that may run it. */
  targets: v.pipe(v.array(Digest), v.minLength(1), v.maxLength(MAX_TARGETS), v.check(isDistinct, "distinct devices")),
  /** SHA-256 and length of the body before sealing: sealing does not commit to a key, this does. */
  body: v.strictObject({ sha256: Digest, size: whole(2, MAX_BODY_BYTES) }),
  suite: v.literal("x25519-chacha20poly1305"),
  issuedAt: Time,
  notBefore: Time,
  expiresAt: Time,
  /** The key log as the signer knew it: a device behind it fetches first. */
  keyHead: LogPlace,
  /** Raw X25519 keys to which the device seals the output. */
  readers: v.pipe(v.array(SealingKey), v.maxLength(MAX_READERS), v.check(isDistinct, "distinct readers")),
  minAgent: v.exactOptional(whole(0, Number.MAX_SAFE_INTEGER)),
  /** The job runs several times: first at `notBefore`. */
  runs: v.exactOptional(Runs),
});
export const JobManifest = v.pipe(
  Fields,
  v.check(({ kind, runs }) => runs === undefined || kind === "run", "only a run comes round"),
);
export type JobManifest = Readonly<v.InferOutput<typeof JobManifest>>;

export function readManifest(payload: Uint8Array): JobManifest {
  return readFields(JobManifest, payload);
}
