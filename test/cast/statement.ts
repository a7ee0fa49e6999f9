// Statements with any field overridden or taken away, and envelopes broken on purpose.
import { toBase64, utf8 } from "../../protocol/bytes.ts";
import { type Kind, readEnvelope, signPayload, statementId } from "../../protocol/envelope.ts";
import type { Signer } from "../../protocol/signature.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";

/** Fields to put over a statement's own; `undefined` takes a field away. */
export type Overrides = Readonly<Record<string, unknown>>;

export function overridden(fields: object, overrides: Overrides = {}): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries({ ...fields, ...overrides }).filter(([, value]) => value !== undefined));
}

/** An envelope over any fields that strict JSON can carry, valid or not. */
export function signFields(kind: Kind, fields: object, signers: readonly Signer[]): Uint8Array {
  return signPayload(kind, encodeStrict(fields), signers);
}

export function idOfEnvelope(bytes: Uint8Array): string {
  return statementId(readEnvelope(bytes));
}

/** An envelope as its JSON says it, to be changed and written again. */
export type EnvelopeJson = {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
};

/** The envelope's JSON after a change to it. The signatures are not made again. */
export function edited(bytes: Uint8Array, change: (envelope: EnvelopeJson) => object): Uint8Array {
  const { payloadType, payload, signatures } = readEnvelope(bytes);
  const json: EnvelopeJson = {
    payload: toBase64(payload),
    payloadType,
    signatures: signatures.map(({ key, signature }) => ({ keyid: key, sig: toBase64(signature) })),
  };
  return utf8(JSON.stringify(change(json)));
}

/** The envelope with other payload bytes under the signatures that it had. */
export function withPayload(bytes: Uint8Array, payload: Uint8Array): Uint8Array {
  return edited(bytes, (envelope) => ({ ...envelope, payload: toBase64(payload) }));
}

/** A copy with one bit turned; negative places count from the end. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const copy = bytes.slice();
  const place = at < 0 ? copy.length + at : at;
  copy[place] = (copy[place] ?? 0) ^ (1 << bit);
  return copy;
}
