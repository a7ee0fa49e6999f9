// A job as an operator's client reads it back: who of the key log signed it, and what they signed. Whether a device
// may run it is the device's matter.
import { pae, statementId, type UnverifiedEnvelope } from "../../protocol/envelope.ts";
import { type JobManifest, readManifest } from "../../protocol/job.ts";
import { type KeyLogState, keyBytes, lastTerm } from "../../protocol/key-state.ts";
import { refuse } from "../../protocol/refusal.ts";
import { verifySignature } from "../../protocol/signature.ts";

export type SignedJob = {
  readonly manifest: JobManifest;
  readonly statement: string;
  /** Names of the operators who signed, ended keys among them. */
  readonly signers: readonly string[];
};

/** Throws `signer-unknown`, `signature-bad`, `tenant-other` or a refusal of the manifest's form. */
export function readSignedJob(envelope: UnverifiedEnvelope, state: KeyLogState): SignedJob {
  const signers = signerNames(envelope, state);
  const manifest = readManifest(envelope.payload);
  if (manifest.tenant !== state.tenant) throw refuse("tenant-other", `tenant ${manifest.tenant}`);
  return { manifest, statement: statementId(envelope), signers };
}

/** Names of those whose keys, active or ended, are in this key log and signed. Throws `signer-unknown` where there are none. */
export function signerNames(envelope: UnverifiedEnvelope, state: KeyLogState): readonly string[] {
  const names = knownSigners(envelope, state);
  if (names.length === 0) throw refuse("signer-unknown", "no key of this tenant's log");
  return names;
}

/** The same, with none where only keys signed that are in no operator's term. Throws `signature-bad`. */
export function knownSigners(
  { payloadType, payload, signatures }: UnverifiedEnvelope,
  state: KeyLogState,
): readonly string[] {
  const message = pae(payloadType, payload);
  return signatures.flatMap(({ key, signature }) => {
    const term = lastTerm(state, key);
    if (term === undefined) return [];
    if (!verifySignature({ publicKey: keyBytes(term.sig), message, signature }))
      throw refuse("signature-bad", `key ${key}`);
    return [term.to === undefined ? term.name : `${term.name} (key ended)`];
  });
}
