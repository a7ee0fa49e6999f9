// Statements of one signer: what a device or a client says for itself, by the key that it says it with.
import { pae, type UnverifiedEnvelope } from "./envelope.ts";
import { refuse } from "./refusal.ts";
import { thumbprint, verifySignature } from "./signature.ts";

/** The thumbprint of this raw, admitted key, which signed the statement. Throws `signer-unknown` or `signature-bad`. */
export function checkSignedBy(envelope: UnverifiedEnvelope, publicKey: Uint8Array): string {
  const key = thumbprint(publicKey);
  const own = envelope.signatures.find((signature) => signature.key === key);
  if (own === undefined) throw refuse("signer-unknown", `not signed by key ${key}`);
  const message = pae(envelope.payloadType, envelope.payload);
  if (!verifySignature({ publicKey, message, signature: own.signature })) throw refuse("signature-bad", `key ${key}`);
  return key;
}
