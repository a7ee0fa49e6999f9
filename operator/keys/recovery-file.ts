// The recovery file: the seed of a second key, whose only power is to give its owner a new signature key. It is in the age
// format (age-encryption.org/v1) under a passphrase of its own, so that public tools open it and anybody can read what it is.
import * as v from "valibot";
import { fromBase64url, text, toBase64url } from "../../protocol/bytes.ts";
import { Digest, Id, Name, Time } from "../../protocol/fields.ts";
import type { Random } from "../../protocol/seal.ts";
import { type Signer, signerOf } from "../../protocol/signature.ts";
import { Fault } from "../fault.ts";
import { readBounded } from "../home/stored-file.ts";
import { MAX_RECOVERY_FILE_BYTES } from "../limits.ts";

const ABOUT =
  "Keybound recovery file. With it, and nobody's approval, its owner sets a new signature key: keybound key recover FILE. " +
  "It can do nothing else, works once, and is dead when its owner makes another one.";

const Content = v.strictObject({
  keybound: v.literal("recovery-file"),
  version: v.literal(1),
  about: v.string(),
  organisation: Name,
  name: Name,
  relay: v.string(),
  tenant: Digest,
  operator: Id,
  /** The 32-byte Ed25519 seed of the recovery key, base64url. */
  seed: Digest,
  madeAt: Time,
});
type Content = Readonly<v.InferOutput<typeof Content>>;

/** Whose key it recovers, and where. */
export type RecoveryOwner = Pick<Content, "organisation" | "name" | "relay" | "tenant" | "operator" | "madeAt">;

export type RecoveryKey = { readonly seed: Uint8Array; readonly signer: Signer };

export type OpenedRecovery = { readonly owner: RecoveryOwner; readonly signer: Signer };

export function makeRecoveryKey(random: Random): RecoveryKey {
  const seed = random(32);
  return { seed, signer: signerOf(seed) };
}

/** The file's bytes, ASCII-armoured, so that it can be printed. About a second, for scrypt. */
export async function sealRecovery(
  { seed }: RecoveryKey,
  { owner, passphrase }: { readonly owner: RecoveryOwner; readonly passphrase: string },
): Promise<Uint8Array> {
  const { Encrypter, armor } = await import("age-encryption");
  const content: Content = {
    keybound: "recovery-file",
    version: 1,
    about: ABOUT,
    organisation: owner.organisation,
    name: owner.name,
    relay: owner.relay,
    tenant: owner.tenant,
    operator: owner.operator,
    seed: toBase64url(seed),
    madeAt: owner.madeAt,
  };
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  const sealed = await encrypter.encrypt(`${JSON.stringify(content, undefined, 1)}\n`);
  return new TextEncoder().encode(armor.encode(sealed));
}

export function readRecoveryBytes(path: string): Uint8Array {
  return readBounded(path, MAX_RECOVERY_FILE_BYTES);
}

/** Opens a recovery file, armoured or not. Throws `recovery-form` or `recovery-passphrase`. */
export async function openRecovery(bytes: Uint8Array, passphrase: string): Promise<OpenedRecovery> {
  const plain = await decrypted(bytes, passphrase);
  const parsed = v.safeParse(Content, jsonOf(plain));
  const seed = parsed.success ? fromBase64url(parsed.output.seed) : undefined;
  if (!parsed.success || seed === undefined) throw new Fault("recovery-form", "its content is another");
  const { organisation, name, relay, tenant, operator, madeAt } = parsed.output;
  return { owner: { organisation, name, relay, tenant, operator, madeAt }, signer: signerOf(seed) };
}

async function decrypted(bytes: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const { Decrypter, armor } = await import("age-encryption");
  const spelling = text(bytes);
  const isArmoured = spelling?.trimStart().startsWith("-----BEGIN AGE ENCRYPTED FILE-----") === true;
  if (!isArmoured && !text(bytes.subarray(0, 21))?.startsWith("age-encryption.org/v1")) {
    throw new Fault("recovery-form", "no age file");
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(isArmoured ? armor.decode(spelling ?? "") : bytes);
  } catch (error) {
    // The library has one kind of error: its words tell a passphrase that does not fit from a file that was changed.
    const isWrong = error instanceof Error && /no identity matched/i.test(error.message);
    throw new Fault(isWrong ? "recovery-passphrase" : "recovery-form", isWrong ? "" : "cut or changed", {
      cause: error,
    });
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(text(bytes) ?? "") as unknown;
  } catch {
    // The one documented failure of JSON.parse: a SyntaxError.
    return undefined;
  }
}
