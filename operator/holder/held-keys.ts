// The keyring of a key holder that is up: each signature and each opened wrap is asked of it, and the signatures are verified.
import { type Kind, pae, payloadType } from "../../protocol/envelope.ts";
import type { WrapUse } from "../../protocol/seal.ts";
import { thumbprint, verifySignature } from "../../protocol/signature.ts";
import { Fault } from "../fault.ts";
import type { Home } from "../home/home.ts";
import type { Keyring } from "../unlock/keyring.ts";
import { askHolder } from "./ask-holder.ts";
import { type HolderPlace, holderPlace, type HolderWorld } from "./place.ts";

/** What a holder says of itself. */
export type Held = { readonly keys: Keyring; readonly ageMs: number; readonly leftMs: number };

/** The holder of this home, if one is up. */
export async function findHolder({ folder }: Pick<Home, "folder">, world: HolderWorld): Promise<Held | undefined> {
  const place = holderPlace(folder, world);
  const hello = await askHolder(place, { ask: "hello" });
  if (hello?.say !== "hello") return undefined;
  const { sig: publicKey, enc: sealingKey, ageMs, leftMs } = hello;
  const keys: Keyring = {
    key: thumbprint(publicKey),
    publicKey,
    sealingKey,
    sign: (kind, payload) => signature(place, publicKey, { kind, payload }),
    unwrap: (wrap, use) => opened(place, wrap, use),
  };
  return { keys, ageMs, leftMs };
}

/** Has the holder of this home end, if one is up, before it is this old. */
export async function shortenHolder(
  { folder }: Pick<Home, "folder">,
  world: HolderWorld,
  lifetimeMs: number,
): Promise<void> {
  await askHolder(holderPlace(folder, world), { ask: "shorten", lifetimeMs });
}

/** Ends the holder of this home: its seeds are gone when this returns. Answers whether one was up. */
export async function endHolder({ folder }: Pick<Home, "folder">, world: HolderWorld): Promise<boolean> {
  return (await askHolder(holderPlace(folder, world), { ask: "end" }))?.say === "done";
}

async function signature(
  place: HolderPlace,
  publicKey: Uint8Array,
  { kind, payload }: { readonly kind: Kind; readonly payload: Uint8Array },
): Promise<Uint8Array> {
  const answer = await askHolder(place, { ask: "sign", kind, payload });
  if (answer?.say === "refused" && answer.why === "kind")
    throw new Error(`internal error: a ${kind} is signed by the passphrase alone`);
  if (answer?.say !== "signed") throw new Fault("holder-gone", "");
  const message = pae(payloadType(kind), payload);
  if (!verifySignature({ publicKey, message, signature: answer.signature })) throw new Fault("holder-gone", "");
  return answer.signature;
}

async function opened(place: HolderPlace, wrap: Uint8Array, use: WrapUse): Promise<Uint8Array | undefined> {
  const answer = await askHolder(place, { ask: "unwrap", wrap, ...use });
  if (answer?.say === "opened") return answer.contentKey;
  if (answer?.say === "sealed") return undefined;
  throw new Fault("holder-gone", "");
}
