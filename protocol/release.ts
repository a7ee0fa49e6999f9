// A release: which files a version is made of, signed by whoever makes the programs and by none of an organisation's keys (SPEC 8.10).
import * as v from "valibot";
import { pae, readEnvelopeOf, signPayload, statementId, type UnverifiedEnvelope } from "./envelope.ts";
import { Digest, readFields, Time, whole } from "./fields.ts";
import { keyBytes } from "./key-state.ts";
import { MAX_FILE_BYTES, MAX_RELEASE_BYTES, MAX_RELEASE_FILE_BYTES, MAX_RELEASE_FILES } from "./limits.ts";
import { Platform } from "./platform.ts";
import { refuse } from "./refusal.ts";
import { type Signer, thumbprint, verifySignature } from "./signature.ts";
import { encodeStrict } from "./strict-json.ts";
import { Version } from "./version.ts";

const ReleaseFile = v.pipe(
  v.strictObject({
    name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/)),
    /** Absent where a file is for several. */
    platform: v.exactOptional(Platform),
    /** `installer`: a package of the agent; `update`: what a job of kind `update` brings; `program`: an operator's or a relay's. */
    use: v.picklist(["installer", "update", "program"]),
    sha256: Digest,
    bytes: whole(1, MAX_RELEASE_FILE_BYTES),
  }),
  v.check(
    ({ use, platform, bytes }) => use !== "update" || (platform !== undefined && bytes <= MAX_FILE_BYTES),
    "an update of one platform that a job can bring",
  ),
);
export type ReleaseFile = Readonly<v.InferOutput<typeof ReleaseFile>>;

const isDistinct = (items: readonly unknown[]) => new Set(items).size === items.length;
const updates = (files: readonly ReleaseFile[]) => files.filter(({ use }) => use === "update");

export const Release = v.strictObject({
  version: Version,
  /** The time that the files bear: the commit's, not the signer's. */
  builtAt: Time,
  files: v.pipe(
    v.array(ReleaseFile),
    v.minLength(1),
    v.maxLength(MAX_RELEASE_FILES),
    v.check((files) => isDistinct(files.map(({ name }) => name)), "distinct names"),
    v.check((files) => isDistinct(updates(files).map(({ platform }) => platform)), "one update a platform"),
  ),
});
export type Release = Readonly<v.InferOutput<typeof Release>>;

/** Raw public keys that a build has pinned, by their thumbprints. They are admitted (SPEC 3.1) when the program is built. */
export type ReleaseKeys = ReadonlyMap<string, Uint8Array>;

export function releaseKeys(pinned: readonly string[]): ReleaseKeys {
  return new Map(pinned.map(keyBytes).map((publicKey) => [thumbprint(publicKey), publicKey]));
}

export type VerifiedRelease = {
  readonly release: Release;
  /** Its statement id. */
  readonly id: string;
  /** Thumbprints of the pinned keys that signed it. */
  readonly signers: readonly string[];
};

/** A release that a pinned key has signed. Throws `release-keyless`, `release-unsigned`, `release-forged`, or a refusal of its form. */
export function readRelease(bytes: Uint8Array, keys: ReleaseKeys): VerifiedRelease {
  if (keys.size === 0) throw refuse("release-keyless");
  const envelope = readEnvelopeOf("release", bytes);
  const signers = signersOf(envelope, keys);
  const release = readFields(Release, envelope.payload, MAX_RELEASE_BYTES);
  return { release, id: statementId(envelope), signers };
}

/** Throws a `field-*` or `json-*` refusal for one that nobody would take. */
export function signRelease(release: Release, signers: readonly Signer[]): Uint8Array {
  const payload = encodeStrict(release);
  readFields(Release, payload, MAX_RELEASE_BYTES);
  return signPayload("release", payload, signers);
}

/** What updates an agent on this platform. */
export function updateFor({ files }: Release, platform: Platform): ReleaseFile | undefined {
  return updates(files).find((file) => file.platform === platform);
}

/** Keys that are not pinned here are passed over: the build before or after this one has them. */
function signersOf(envelope: UnverifiedEnvelope, keys: ReleaseKeys): readonly string[] {
  const message = pae(envelope.payloadType, envelope.payload);
  const signers = envelope.signatures.flatMap(({ key, signature }) => {
    const publicKey = keys.get(key);
    if (publicKey === undefined) return [];
    if (!verifySignature({ publicKey, message, signature })) throw refuse("release-forged", `key ${key}`);
    return [key];
  });
  if (signers.length === 0)
    throw refuse("release-unsigned", `signed by ${envelope.signatures.map(({ key }) => key).join(", ")}`);
  return signers;
}
