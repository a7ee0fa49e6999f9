// A reader of sealed content: who can open the wraps that are made to one encryption key, wherever its secret is.
import { toBase64url } from "../../protocol/bytes.ts";
import { type SealingPair, unwrapKey, type WrapUse } from "../../protocol/seal.ts";

/** A keyring is one too. */
export type Reader = {
  /** Raw X25519 public key. */
  readonly sealingKey: Uint8Array;
  /** As `unwrapKey`, by the secret of that key. */
  readonly unwrap: (wrap: Uint8Array, use: WrapUse) => Promise<Uint8Array | undefined>;
};

/** A reader by a pair that this process has. */
export function readerOf(pair: SealingPair): Reader {
  return { sealingKey: pair.publicKey, unwrap: async (wrap, use) => unwrapKey(wrap, { pair, use }) };
}

/** The place of a reader among a manifest's; -1 where it is none of them. */
export function placeAmong(readers: readonly string[], { sealingKey }: Reader): number {
  return readers.indexOf(toBase64url(sealingKey));
}
