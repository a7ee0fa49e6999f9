// A person asks for a signature key: the new keys sign what they are for, so that an admin can approve them at any time later
// without the person being there (SPEC 4.8).
import * as v from "valibot";
import { fromBase64url, toBase64url } from "./bytes.ts";
import { digest } from "./digest.ts";
import { pae, readEnvelopeOf, signPayload, statementId, type UnverifiedEnvelope } from "./envelope.ts";
import { Digest, Id, Name, readFields, SealingKey, Time } from "./fields.ts";
import type { AdmitKey } from "./key-admission.ts";
import type { NewKey } from "./key-event.ts";
import { fingerprint, keyBytes } from "./key-state.ts";
import { MAX_REQUEST_BYTES } from "./limits.ts";
import { refuse } from "./refusal.ts";
import { type Signer, verifySignature } from "./signature.ts";
import { encodeStrict } from "./strict-json.ts";

const RequestCore = {
  tenant: Digest,
  /** `add`: a person who is no operator yet; `replace`: the next key of one who is. */
  purpose: v.picklist(["add", "replace"]),
  operator: Id,
  name: Name,
  sig: Digest,
  enc: SealingKey,
  recovery: v.exactOptional(Digest),
  mode: v.picklist(["setup", "passphrase"]),
  time: Time,
};

const KeyRequest = v.strictObject({
  ...RequestCore,
  /** Binds the requester to a nonce that is told later (SPEC 4.9). */
  commit: Digest,
});
export type KeyRequest = Readonly<v.InferOutput<typeof KeyRequest>>;
export type RequestFields = Omit<KeyRequest, "commit">;

export type ReadRequest = { readonly request: KeyRequest; readonly id: string };

/** Signs a request by each new key; `nonce` is 32 random bytes, kept until an admin is there. */
export function signKeyRequest(
  fields: RequestFields,
  { nonce, signers }: { readonly nonce: Uint8Array; readonly signers: readonly Signer[] },
): Uint8Array {
  return signPayload("key-request", encodeStrict({ ...fields, commit: commitOf(fields, nonce) }), signers);
}

/**
 * A request signed by every key that it brings. Throws `signature-bad`, `log-proof-missing`, `log-key-reused` where two of
 * its keys are one, a `key-*` refusal, or a refusal of its form.
 */
export function readKeyRequest(bytes: Uint8Array, admit: AdmitKey): ReadRequest {
  const envelope = readEnvelopeOf("key-request", bytes);
  const request = readFields(KeyRequest, envelope.payload, MAX_REQUEST_BYTES);
  const { sig, recovery } = request;
  if (sig === recovery) throw refuse("log-key-reused", `key ${fingerprint(sig)}`);
  const keys = recovery === undefined ? [sig] : [sig, recovery];
  for (const key of keys) admit(keyBytes(key));
  checkProofs(envelope, keys);
  return { request, id: statementId(envelope) };
}

/** Throws `code-commit` unless this is the nonce that the request was made with. */
export function checkReveal({ commit, ...fields }: KeyRequest, nonce: Uint8Array): void {
  if (nonce.length !== 32 || commitOf(fields, nonce) !== commit) throw refuse("code-commit");
}

/** Each of these raw keys signed the statement. Throws `log-proof-missing` or `signature-bad`. */
export function checkProofs(envelope: UnverifiedEnvelope, keys: readonly string[]): void {
  const message = pae(envelope.payloadType, envelope.payload);
  for (const key of keys) {
    const proof = envelope.signatures.find((signature) => signature.key === fingerprint(key));
    if (proof === undefined) throw refuse("log-proof-missing", `key ${fingerprint(key)}`);
    if (!verifySignature({ publicKey: keyBytes(key), message, signature: proof.signature })) {
      throw refuse("signature-bad", `key ${fingerprint(key)}`);
    }
  }
}

/**
 * The request that a log entry carries in place of its new keys' own signatures. Throws `log-request-other` unless it asks for
 * exactly this key, for this person and in this tenant.
 */
export function checkCarriedRequest(
  spelling: string,
  { tenant, key, purpose }: { readonly tenant: string; readonly key: NewKey; readonly purpose: KeyRequest["purpose"] },
): void {
  const bytes = fromBase64url(spelling);
  if (bytes === undefined) throw refuse("field-invalid", "request: unpadded base64url");
  // Its keys are admitted where the entry's are, which are the same.
  const { request } = readKeyRequest(bytes, () => undefined);
  const asked = [request.tenant, request.purpose, ...keyFields(request)];
  const given = [tenant, purpose, ...keyFields(key)];
  const other = asked.findIndex((value, i) => value !== given[i]);
  if (other >= 0) throw refuse("log-request-other", `${asked[other]} where the entry says ${given[other]}`);
}

type KeyFields = Pick<NewKey, "operator" | "name" | "sig" | "enc" | "mode"> & {
  readonly recovery?: string | undefined;
};

function keyFields({ operator, name, sig, enc, mode, recovery }: KeyFields): readonly (string | undefined)[] {
  return [operator, name, sig, enc, mode, recovery];
}

/** Binds nonce and request together: SHA-256 over the request's fields, then over that and the nonce. */
function commitOf(fields: RequestFields, nonce: Uint8Array): string {
  const bound = encodeStrict({ core: digest(encodeStrict(fields)), nonce: toBase64url(nonce) });
  return digest(pae("application/vnd.keybound.code-commit.v1+json", bound));
}
