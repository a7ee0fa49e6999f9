// Sealing content to several recipients: one content key, wrapped to each of them for exactly one use (SPEC 7.1).
import { pae } from "./envelope.ts";
import { hpkeOpen, hpkeSeal } from "./hpke.ts";
import { refuse } from "./refusal.ts";
import { thumbprint } from "./signature.ts";
import { encodeStrict } from "./strict-json.ts";

/** Fresh random bytes, passed in so that vectors can be made. */
export type Random = (bytes: number) => Uint8Array;

/** What a wrap is for. `statement` is the id of the job whose body or output is sealed. */
export type WrapUse = {
  readonly purpose: "job-body" | "job-output" | "job-live" | "token";
  readonly statement: string;
};

export const CONTENT_KEY_BYTES = 32;

/** Wraps a content key to one X25519 public key: `WRAP_BYTES` bytes. Throws `key-form` for a recipient of low order. */
export function wrapKey(
  contentKey: Uint8Array,
  { recipient, use, random }: { recipient: Uint8Array; use: WrapUse; random: Random },
): Uint8Array {
  const wrap = hpkeSeal(recipient, { info: wrapInfo(use, recipient), data: contentKey }, random(32));
  if (wrap === undefined) throw refuse("key-form", "an encryption key of low order");
  return wrap;
}

/** The content key, or `undefined` where the wrap was made for another key or use. */
export function unwrapKey(
  wrap: Uint8Array,
  { pair, use }: { pair: SealingPair; use: WrapUse },
): Uint8Array | undefined {
  const contentKey = hpkeOpen(pair.privateKey, { info: wrapInfo(use, pair.publicKey), data: wrap });
  return contentKey?.length === CONTENT_KEY_BYTES ? contentKey : undefined;
}

/** An X25519 key pair, raw. */
export type SealingPair = { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };

function wrapInfo(use: WrapUse, recipient: Uint8Array): Uint8Array {
  const bound = encodeStrict({ ...use, to: thumbprint(recipient, "X25519") });
  return pae("application/vnd.keybound.content-key.v1+json", bound);
}
