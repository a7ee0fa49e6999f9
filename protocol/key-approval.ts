// An admin takes up a request for a key, and the short code that shows two people that nobody stands between them (SPEC 4.9).
import * as v from "valibot";
import { concat, fromBase64url } from "./bytes.ts";
import { toCrockford } from "./crockford.ts";
import { pae, readEnvelopeOf, statementId } from "./envelope.ts";
import { Digest, Id, LogPlace, readFields, Time } from "./fields.ts";
import { expand, extract } from "./hkdf.ts";
import { isRevokedByFork, keyBytes, type Operator } from "./key-state.ts";
import { type KeyLogView, placeIn } from "./key-view.ts";
import { LONG_CODE_CHARS, MAX_REQUEST_BYTES } from "./limits.ts";
import { refuse } from "./refusal.ts";
import { verifySignature } from "./signature.ts";
import { encodeStrict } from "./strict-json.ts";

/** Signed by the admin only after the request is fixed, and answered by the requester's nonce. */
const KeyApproval = v.strictObject({
  tenant: Digest,
  session: Id,
  /** Statement id of the request. */
  request: Digest,
  keyHead: LogPlace,
  /** The admin's 32 random bytes. */
  nonce: Digest,
  expiresAt: Time,
});
export type KeyApproval = Readonly<v.InferOutput<typeof KeyApproval>>;

export type ReadApproval = { readonly approval: KeyApproval; readonly id: string; readonly approver: Operator };

/** An approval by one active admin of this log. Throws a refusal; what it was signed for is the caller's to compare. */
export function readApproval(bytes: Uint8Array, keyLog: KeyLogView): ReadApproval {
  const envelope = readEnvelopeOf("key-approval", bytes);
  const [first, second] = envelope.signatures;
  if (first === undefined || second !== undefined) throw refuse("envelope-signatures", "an approval has one signature");
  const approver = keyLog.state.operators.find(({ key }) => key === first.key);
  if (approver === undefined) throw refuse("signer-unknown", `key ${first.key}`);
  const message = pae(envelope.payloadType, envelope.payload);
  if (!verifySignature({ publicKey: keyBytes(approver.sig), message, signature: first.signature })) {
    throw refuse("signature-bad", `key ${first.key}`);
  }
  if (approver.role !== "admin") throw refuse("signer-role", "only an admin approves keys");
  if (isRevokedByFork(keyLog.state, first.key)) throw refuse("signer-revoked", `key ${first.key}`);
  const approval = readFields(KeyApproval, envelope.payload, MAX_REQUEST_BYTES);
  if (approval.tenant !== keyLog.state.tenant) throw refuse("tenant-other", `tenant ${approval.tenant}`);
  const { seq, id } = approval.keyHead;
  if (placeIn(keyLog, approval.keyHead) === "forked") throw refuse("log-fork", `key log ${seq} ${id}`);
  return { approval, id: statementId(envelope), approver };
}

/** What the six digits are made from: both statements, and both nonces, 32 bytes each. */
export type Transcript = {
  readonly request: string;
  readonly approval: string;
  readonly requesterNonce: Uint8Array;
  readonly approverNonce: Uint8Array;
};

/** Six digits, evenly drawn but for one part in 10^13. Whoever stands between the two has one guess in a million. */
export function sixDigits({ request, approval, requesterNonce, approverNonce }: Transcript): string {
  const info = pae("application/vnd.keybound.code.v1+json", encodeStrict({ approval, request }));
  const key = extract(new Uint8Array(0), concat(requesterNonce, approverNonce));
  const drawn = new DataView(expand({ key, info, bytes: 8 }).buffer).getBigUint64(0, false);
  return (drawn % 1_000_000n).toString().padStart(6, "0");
}

/** 100 bits of a request's id, for two people who are not there at the same time: nobody makes a second request with the same. */
export function longCode(request: string): string {
  const id = fromBase64url(request);
  if (id === undefined) throw new Error("internal error: an unchecked request id");
  return toCrockford(id, LONG_CODE_CHARS);
}
