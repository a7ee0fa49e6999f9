// From a passphrase to an operator's keys; nothing is stored, and a wrong passphrase shows as a key that is not in the log (SPEC 3.4).
import { primitives } from "#primitives";
import { concat, fromBase64url, utf8 } from "./bytes.ts";
import { pae } from "./envelope.ts";
import { expand, extract } from "./hkdf.ts";
import type { SealingPair } from "./seal.ts";
import { type Signer, signerOf } from "./signature.ts";
import { encodeStrict } from "./strict-json.ts";

/** Part of the version: asked of nobody, and a change of them is a new payload type. RFC 9106 4, with more memory. */
const ARGON2 = { memoryKiB: 256 * 1024, passes: 3, lanes: 4, bytes: 32 } as const;

export const SETUP_SECRET_BYTES = 16;

export type KeyOrigin = {
  readonly operator: string;
  /** How many keys this operator had before: a changed passphrase never leads back to an old key. */
  readonly generation: number;
};

/** What the passphrase is stretched with: the setup secret, or in passphrase-only mode the operator's id. */
export type StretchOrigin =
  | { readonly setupSecret: Uint8Array }
  | { readonly setupSecret: undefined; readonly operator: string };

/** A stretched passphrase: the slow part, done once, from which the keys of any operator and generation follow at once. */
export type Stretched = { readonly secret: Uint8Array };

/** The secrets of both keys, 32 bytes each. */
export type OperatorSeeds = { readonly signing: Uint8Array; readonly sealing: Uint8Array };

export type OperatorKeys = { readonly signer: Signer; readonly sealing: SealingPair };

/**
 * RFC 8265 OpaqueString in essence: every space becomes U+0020, then NFC. `undefined` for an empty passphrase or one
 * with control characters or half a character.
 */
export function normalPassphrase(typed: string): string | undefined {
  const normal = typed.replace(/\p{Zs}/gu, " ").normalize("NFC");
  return normal === "" || !normal.isWellFormed() || /\p{Cc}/u.test(normal) ? undefined : normal;
}

/** Stretches a passphrase; about a second, 256 MiB. Throws a RangeError for what `normalPassphrase` does not take. */
export async function stretchPassphrase(typed: string, origin: StretchOrigin): Promise<Stretched> {
  const passphrase = normalPassphrase(typed);
  if (passphrase === undefined) throw new RangeError("a passphrase that is empty or has control characters");
  const stretched = await primitives.argon2id({ password: utf8(passphrase), salt: saltOf(origin), ...ARGON2 });
  return { secret: concat(stretched, origin.setupSecret ?? new Uint8Array(0)) };
}

/** An operator's keys of one generation; in passphrase-only mode for the operator whose id stretched it. */
export function keysOf(stretched: Stretched, origin: KeyOrigin): OperatorKeys {
  return keysOfSeeds(seedsOf(stretched, origin));
}

/** What `keysOf` makes the keys of. */
export function seedsOf({ secret }: Stretched, { operator, generation }: KeyOrigin): OperatorSeeds {
  const info = pae("application/vnd.keybound.signature-key.v1+json", encodeStrict({ operator, generation }));
  const master = expand({ key: extract(new Uint8Array(0), secret), info, bytes: 32 });
  const signing = expand({ key: master, info: utf8("sig"), bytes: 32 });
  const sealing = expand({ key: master, info: utf8("enc"), bytes: 32 });
  return { signing, sealing };
}

/** The keys refer to the seeds' bytes: when these are overwritten, they are gone. */
export function keysOfSeeds({ signing, sealing }: OperatorSeeds): OperatorKeys {
  return { signer: signerOf(signing), sealing: sealingPairOf(sealing) };
}

export function sealingPairOf(privateKey: Uint8Array): SealingPair {
  return { privateKey, publicKey: primitives.x25519PublicKey(privateKey) };
}

/** From the setup secret where there is one, else from the operator's id; never fetched. */
function saltOf(origin: StretchOrigin): Uint8Array {
  const { setupSecret } = origin;
  const source = setupSecret ?? fromBase64url(origin.operator) ?? utf8(origin.operator);
  const salt = pae(
    "application/vnd.keybound.passphrase-salt.v1+json",
    encodeStrict({ mode: setupSecret === undefined ? "passphrase" : "setup" }),
  );
  return expand({ key: extract(salt, source), info: utf8("salt"), bytes: 16 });
}
