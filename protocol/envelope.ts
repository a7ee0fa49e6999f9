// The DSSE 1.0 envelope: reading it believes nothing, a statement's identity is never taken from it (SPEC 2).
import { digest } from "./digest.ts";
import * as v from "valibot";
import { concat, fromBase64Envelope, fromBase64url, text, toBase64, utf8 } from "./bytes.ts";
import { MAX_ENVELOPE_BYTES, MAX_SIGNATURES } from "./limits.ts";
import { refuse } from "./refusal.ts";
import { SIGNATURE_BYTES, type Signer } from "./signature.ts";

/** One word for each kind of statement; each has its own payload type, so that no signature serves two purposes. */
export type Kind =
  | "key-event"
  | "key-request"
  | "key-approval"
  | "roster-event"
  | "checkpoint"
  | "deployment"
  | "enrolment-request"
  | "job"
  | "receipt"
  | "inventory"
  | "binding-report"
  | "relay-login"
  | "access-grant"
  | "release";

export type UnverifiedSignature = { readonly key: string; readonly signature: Uint8Array };

/** What came, taken apart. Only its length, form and spelling have been checked. */
export type UnverifiedEnvelope = {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly UnverifiedSignature[];
};

const PAYLOAD_TYPE = /^application\/vnd\.keybound\.[a-z-]{1,32}\.v[0-9]{1,3}\+json$/;

const EnvelopeSchema = v.strictObject({
  payload: v.string(),
  payloadType: v.pipe(v.string(), v.regex(PAYLOAD_TYPE)),
  signatures: v.array(v.strictObject({ keyid: v.string(), sig: v.string() })),
});

export function payloadType(kind: Kind): string {
  return `application/vnd.keybound.${kind}.v1+json`;
}

/** DSSE 1.0 pre-authentication encoding: the bytes that are signed. Lengths are byte lengths, types are ASCII. */
export function pae(type: string, payload: Uint8Array): Uint8Array {
  const typeBytes = utf8(type);
  return concat(utf8(`DSSEv1 ${typeBytes.length} `), typeBytes, utf8(` ${payload.length} `), payload);
}

/** A statement's identity: base64url of SHA-256 over its PAE, whatever envelope carries it (SPEC 2.4). */
export function statementId(envelope: Pick<UnverifiedEnvelope, "payloadType" | "payload">): string {
  return digest(pae(envelope.payloadType, envelope.payload));
}

/** Takes an envelope apart. Throws an `envelope-*` refusal; the payload is not parsed. */
export function readEnvelope(bytes: Uint8Array): UnverifiedEnvelope {
  if (bytes.length > MAX_ENVELOPE_BYTES) {
    throw refuse("envelope-size", `${bytes.length} bytes, at most ${MAX_ENVELOPE_BYTES}`);
  }
  const parsed = v.safeParse(EnvelopeSchema, parseJson(bytes), { abortEarly: true });
  if (!parsed.success)
    throw refuse("envelope-form", "members other than payload, payloadType and signatures of keyid and sig");
  const { signatures, payload, payloadType: type } = parsed.output;
  if (signatures.length < 1 || signatures.length > MAX_SIGNATURES) {
    throw refuse("envelope-signatures", `${signatures.length} signatures, must be 1 to ${MAX_SIGNATURES}`);
  }
  const taken = signatures.map(({ keyid, sig }) => ({ key: keyId(keyid), signature: signatureBytes(sig) }));
  if (new Set(taken.map(({ key }) => key)).size !== taken.length) {
    throw refuse("envelope-key-repeated", "one key id signs twice");
  }
  return { payloadType: type, payload: fromBase64Envelope(payload), signatures: taken };
}

/** As `readEnvelope`, and throws `envelope-type` unless the statement is of this kind. */
export function readEnvelopeOf(kind: Kind, bytes: Uint8Array): UnverifiedEnvelope {
  const envelope = readEnvelope(bytes);
  if (envelope.payloadType !== payloadType(kind)) {
    throw refuse("envelope-type", `${envelope.payloadType}, expected ${payloadType(kind)}`);
  }
  return envelope;
}

/** Writes an envelope: a statement's bytes with signatures that were made before. */
export function writeEnvelope({ payloadType: type, payload, signatures }: UnverifiedEnvelope): Uint8Array {
  return utf8(
    JSON.stringify({
      payload: toBase64(payload),
      payloadType: type,
      signatures: signatures.map(({ key, signature }) => ({ keyid: key, sig: toBase64(signature) })),
    }),
  );
}

/** Signs a payload by each signer and writes the envelope. Payload bytes are signed as they are. */
export function signPayload(kind: Kind, payload: Uint8Array, signers: readonly Signer[]): Uint8Array {
  const message = pae(payloadType(kind), payload);
  return writeEnvelope({
    payloadType: payloadType(kind),
    payload,
    signatures: signers.map((signer) => ({ key: signer.key, signature: signer.sign(message) })),
  });
}

function parseJson(bytes: Uint8Array): unknown {
  const source = text(bytes);
  if (source === undefined) throw refuse("envelope-json", "bytes that are not UTF-8");
  try {
    return JSON.parse(source) as unknown;
  } catch {
    // The one documented failure of JSON.parse: a SyntaxError.
    throw refuse("envelope-json", "bytes that are not JSON");
  }
}

function keyId(spelling: string): string {
  if (fromBase64url(spelling)?.length !== 32)
    throw refuse("envelope-form", "a key id that is not a 43-character thumbprint");
  return spelling;
}

function signatureBytes(spelling: string): Uint8Array {
  const signature = fromBase64Envelope(spelling);
  if (signature.length !== SIGNATURE_BYTES) {
    throw refuse("envelope-form", `a signature of ${signature.length} bytes, must be ${SIGNATURE_BYTES}`);
  }
  return signature;
}
