// An operator's unlocked key as commands use it: it signs payloads and opens wraps, here or in the key holder's process, and
// is never asked for itself.
import {
  type Kind,
  pae,
  payloadType,
  type UnverifiedEnvelope,
  type UnverifiedSignature,
  writeEnvelope,
} from "../../protocol/envelope.ts";
import type { OperatorKeys } from "../../protocol/passphrase.ts";
import type { Signer } from "../../protocol/signature.ts";
import { type Reader, readerOf } from "../results/reader.ts";

export type Keyring = Reader & {
  /** Thumbprint of the signature key. */
  readonly key: string;
  /** Raw Ed25519 public key. */
  readonly publicKey: Uint8Array;
  /** A signature, 64 bytes, over a statement of this kind. */
  readonly sign: (kind: Kind, payload: Uint8Array) => Promise<Uint8Array>;
};

/** A keyring over keys that this process has derived. */
export function keyringOf({ signer, sealing }: OperatorKeys): Keyring {
  return { ...statementSigner(signer), publicKey: signer.publicKey, ...readerOf(sealing) };
}

/** What can sign a statement: a keyring, or the seed of a recovery key that was read from its file. */
export type StatementSigner = Pick<Keyring, "key" | "sign">;

/** The same over a key that this process has. */
export function statementSigner(signer: Signer): StatementSigner {
  return { key: signer.key, sign: async (kind, payload) => signer.sign(pae(payloadType(kind), payload)) };
}

/** Signs a payload by each and writes the envelope. */
export async function signStatement(
  kind: Kind,
  payload: Uint8Array,
  signers: readonly StatementSigner[],
): Promise<Uint8Array> {
  const signatures: UnverifiedSignature[] = [];
  for (const signer of signers) signatures.push({ key: signer.key, signature: await signer.sign(kind, payload) });
  return writeEnvelope({ payloadType: payloadType(kind), payload, signatures });
}

/** The same statement with one more signature: how a second person co-signs. */
export async function coSign(kind: Kind, envelope: UnverifiedEnvelope, signer: StatementSigner): Promise<Uint8Array> {
  const signature = await signer.sign(kind, envelope.payload);
  return writeEnvelope({ ...envelope, signatures: [...envelope.signatures, { key: signer.key, signature }] });
}
