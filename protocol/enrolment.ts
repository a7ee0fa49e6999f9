// A device asks to be taken into the roster: its own keys, what it says of itself, and the proof of an enrolment token (SPEC 6.4).
import * as v from "valibot";
import { primitives } from "#primitives";
import { equalSecret, utf8 } from "./bytes.ts";
import { pae, readEnvelopeOf, signPayload, statementId, type UnverifiedEnvelope } from "./envelope.ts";
import { Digest, Id, label, readFields, SealingKey, Time } from "./fields.ts";
import { keyBytes } from "./key-state.ts";
import { refuse } from "./refusal.ts";
import { type Signer, thumbprint } from "./signature.ts";
import { checkSignedBy } from "./signed-by.ts";
import { encodeStrict } from "./strict-json.ts";

const EnrolmentRequest = v.strictObject({
  tenant: Digest,
  /** RFC 7638 thumbprint of `sig`: the id is the key, so the relay cannot put another device in its place. */
  device: Digest,
  sig: Digest,
  enc: SealingKey,
  host: label(253),
  platform: v.picklist(["linux", "windows", "macos", "other"]),
  release: label(128),
  arch: label(32),
  /** HMAC of the machine's id under the tenant: notices a clone, tells the relay nothing of the machine. */
  machineTag: Digest,
  /** Statement id of the deployment that bound the device. */
  deployment: Digest,
  token: v.exactOptional(Id),
  agent: label(32),
  time: Time,
});
export type EnrolmentRequest = Readonly<v.InferOutput<typeof EnrolmentRequest>>;

/** A request with its proof, as it travels. */
export type Enrolment = { readonly request: Uint8Array; readonly proof: Uint8Array | undefined };

export function signEnrolment(
  request: EnrolmentRequest,
  { signer, tokenSecret }: { signer: Signer; tokenSecret: Uint8Array | undefined },
): Enrolment & { readonly id: string } {
  const bytes = signPayload("enrolment-request", encodeStrict(request), [signer]);
  const envelope = readEnvelopeOf("enrolment-request", bytes);
  return {
    request: bytes,
    proof: tokenSecret === undefined ? undefined : proofOf(envelope, tokenSecret),
    id: statementId(envelope),
  };
}

/** A request signed by the key that it names. Throws `signature-bad`, `signer-unknown`, `device-id` or a refusal of its form. */
export function readEnrolment(
  bytes: Uint8Array,
  admit: (publicKey: Uint8Array) => void,
): { request: EnrolmentRequest; id: string } {
  const envelope = readEnvelopeOf("enrolment-request", bytes);
  const request = readFields(EnrolmentRequest, envelope.payload);
  const sig = keyBytes(request.sig);
  admit(sig);
  if (thumbprint(sig) !== request.device) throw refuse("device-id", `device ${request.device}`);
  checkSignedBy(envelope, sig);
  return { request, id: statementId(envelope) };
}

/** Throws `token-proof` unless the request came from somebody who holds the token's secret. */
export function checkProof({ request, proof }: Enrolment, tokenSecret: Uint8Array): void {
  const expected = proofOf(readEnvelopeOf("enrolment-request", request), tokenSecret);
  if (proof === undefined || !equalSecret(proof, expected))
    throw refuse("token-proof", proof === undefined ? "no proof" : "");
}

/** Never the raw machine id, as machine-id(5) asks: HMAC-SHA256 of it under the tenant. */
export function machineTag(tenant: string, machineId: string): Uint8Array {
  return primitives.hmacSha256(keyBytes(tenant), utf8(machineId));
}

function proofOf(envelope: UnverifiedEnvelope, tokenSecret: Uint8Array): Uint8Array {
  return primitives.hmacSha256(tokenSecret, pae(envelope.payloadType, envelope.payload));
}
