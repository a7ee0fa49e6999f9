// Logging in to a relay: a signature over its challenge, its name and the connection; no password, no lasting session (SPEC 10.2).
import * as v from "valibot";
import { pae, readEnvelopeOf, signPayload } from "./envelope.ts";
import { Digest, Id, label, readFields, SealingKey, Time } from "./fields.ts";
import type { KeyLogState } from "./key-state.ts";
import { keyBytes } from "./key-state.ts";
import { MAX_ACCESS_LIFETIME_MS, MAX_CLOCK_AHEAD_MS } from "./limits.ts";
import { refuse } from "./refusal.ts";
import { type Signer, verifySignature } from "./signature.ts";
import { checkSignedBy } from "./signed-by.ts";
import { encodeStrict } from "./strict-json.ts";

const RelayLogin = v.strictObject({
  tenant: Digest,
  /**
   * `access`: an operator's client, by its access key, to read and to send what the signature key has signed. `newcomer`:
   * anybody, to read the key log and to ask for a key.
   */
  role: v.picklist(["device", "operator", "access", "newcomer"]),
  /** Raw Ed25519 key that signs this. */
  sig: Digest,
  /** The relay as the client dialled it: host and port. */
  relay: label(300),
  challenge: Digest,
  /** RFC 9266 exporter of the TLS connection, where both ends see it. */
  channel: v.exactOptional(Digest),
  time: Time,
});
export type RelayLogin = Readonly<v.InferOutput<typeof RelayLogin>>;

/** Lets a client's own key read and send for an operator, until it ends or the operator's key does. */
const AccessGrant = v.strictObject({
  tenant: Digest,
  operator: Id,
  /** Raw Ed25519 and X25519 keys of the client. */
  sig: Digest,
  enc: SealingKey,
  issuedAt: Time,
  notAfter: Time,
});
export type AccessGrant = Readonly<v.InferOutput<typeof AccessGrant>>;

export function signLogin(login: RelayLogin, signer: Signer): Uint8Array {
  return signPayload("relay-login", encodeStrict(login), [signer]);
}

/**
 * A login signed by the key that it names, for this challenge, relay and connection. Whether the key may log in is for the
 * caller to say: a device's by its enrolment, an operator's by the key log, a client's by its grant.
 */
export function readLogin(
  bytes: Uint8Array,
  expected: { readonly challenge: string; readonly relays: readonly string[]; readonly channel: string | undefined },
): { login: RelayLogin; key: string } {
  const envelope = readEnvelopeOf("relay-login", bytes);
  const login = readFields(RelayLogin, envelope.payload);
  if (login.challenge !== expected.challenge) throw refuse("login-challenge");
  if (!expected.relays.includes(login.relay)) throw refuse("login-relay", `made for ${login.relay}`);
  if (expected.channel !== undefined && login.channel !== expected.channel)
    throw refuse("login-relay", "made for another connection");
  return { login, key: checkSignedBy(envelope, keyBytes(login.sig)) };
}

/** A grant by an operator who is active now, for a key that is in time: begun, but for a clock a little ahead, and not ended. */
export function readAccessGrant(bytes: Uint8Array, { state, now }: { state: KeyLogState; now: number }): AccessGrant {
  const envelope = readEnvelopeOf("access-grant", bytes);
  const message = pae(envelope.payloadType, envelope.payload);
  const signed = envelope.signatures.find(({ key }) => state.operators.some((operator) => operator.key === key));
  const operator = state.operators.find(({ key }) => key === signed?.key);
  if (signed === undefined || operator === undefined)
    throw refuse("signer-unknown", "no active key of this tenant's log");
  if (!verifySignature({ publicKey: keyBytes(operator.sig), message, signature: signed.signature })) {
    throw refuse("signature-bad", `key ${operator.key}`);
  }
  const grant = readFields(AccessGrant, envelope.payload);
  if (grant.tenant !== state.tenant) throw refuse("tenant-other", `tenant ${grant.tenant}`);
  if (grant.operator !== operator.operator) throw refuse("signer-role", "a grant is for its signer's own client");
  // Otherwise a grant that is dated ahead would last longer than the longest.
  if (grant.issuedAt > now + MAX_CLOCK_AHEAD_MS) {
    throw refuse("access-expired", `begins at ${grant.issuedAt}, here it is ${now}`);
  }
  const end = Math.min(grant.notAfter, grant.issuedAt + MAX_ACCESS_LIFETIME_MS);
  if (end <= now) throw refuse("access-expired", `ended at ${end}, here it is ${now}`);
  return grant;
}
