// What the key holder does with the keys: it signs statements of a few kinds and opens wraps, and gives neither key away.
import { type Kind, pae, payloadType } from "../../protocol/envelope.ts";
import { keysOfSeeds, type OperatorSeeds } from "../../protocol/passphrase.ts";
import { unwrapKey } from "../../protocol/seal.ts";
import type { HolderAnswer, HolderRequest } from "./message.ts";

/** What may be signed without the passphrase: day's work. Keys, policy and tenants are not among it. */
const HELD_KINDS: readonly Kind[] = ["job", "roster-event", "checkpoint", "deployment", "access-grant"];

export type Oracle = {
  readonly publicKey: Uint8Array;
  readonly sealingKey: Uint8Array;
  readonly sign: (request: Extract<HolderRequest, { ask: "sign" }>) => HolderAnswer;
  readonly unwrap: (request: Extract<HolderRequest, { ask: "unwrap" }>) => HolderAnswer;
};

/** Works while the seeds are not overwritten. The bytes that are signed are made here, from the kind and the payload. */
export function oracleOf(seeds: OperatorSeeds): Oracle {
  const { signer, sealing } = keysOfSeeds(seeds);
  return {
    publicKey: signer.publicKey,
    sealingKey: sealing.publicKey,
    sign: ({ kind, payload }) => {
      const held = HELD_KINDS.find((one) => one === kind);
      if (held === undefined) return { say: "refused", why: "kind" };
      return { say: "signed", signature: signer.sign(pae(payloadType(held), payload)) };
    },
    unwrap: ({ wrap, purpose, statement }) => {
      const contentKey = unwrapKey(wrap, { pair: sealing, use: { purpose, statement } });
      return contentKey === undefined ? { say: "sealed" } : { say: "opened", contentKey };
    },
  };
}
