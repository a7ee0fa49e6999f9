// People with signature keys made from their names, so that no passphrase has to be stretched.
import { toBase64url } from "../../protocol/bytes.ts";
import type { NewKey, Role } from "../../protocol/key-event.ts";
import { sealingPairOf } from "../../protocol/passphrase.ts";
import type { SealingPair } from "../../protocol/seal.ts";
import { type Signer, signerOf } from "../../protocol/signature.ts";
import { idOf, seeded } from "./random.ts";

export type Person = {
  readonly operator: string;
  readonly name: string;
  readonly role: Role;
  readonly signer: Signer;
  readonly sealing: SealingPair;
  readonly recovery: Signer;
  readonly generation: number;
  /** The 32-byte seed of the signature key. */
  readonly seed: Uint8Array;
  readonly recoverySeed: Uint8Array;
};

export function person(name: string, role: Role = "operator", generation = 0): Person {
  const seed = seeded(`person ${name} ${generation} sig`)(32);
  const recoverySeed = seeded(`person ${name} ${generation} recovery`)(32);
  return {
    operator: idOf(`person ${name}`),
    name,
    role,
    signer: signerOf(seed),
    sealing: sealingPairOf(seeded(`person ${name} ${generation} enc`)(32)),
    recovery: signerOf(recoverySeed),
    generation,
    seed,
    recoverySeed,
  };
}

/** The same person with the next keys, as after a changed passphrase. */
export function renewed({ name, role, generation }: Person): Person {
  return person(name, role, generation + 1);
}

/** What a key log's entry says of this person's keys, recovery key and all. */
export function newKeyOf({ operator, name, role, signer, sealing, recovery }: Person, notAfter: number): NewKey {
  return {
    operator,
    name,
    role,
    sig: toBase64url(signer.publicKey),
    enc: toBase64url(sealing.publicKey),
    recovery: toBase64url(recovery.publicKey),
    mode: "setup",
    notAfter,
  };
}

/** A raw public key as statements spell it. */
export function raw(of: Signer | SealingPair): string {
  return toBase64url(of.publicKey);
}
