// The primitives over node:crypto: what agent, CLI and relay use. The only file of the protocol that knows Node.
import {
  argon2,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import type { Argon2Input, ChaChaInput, Primitives } from "./types.ts";

// RFC 8410 7: the fixed DER prefixes before the 32 raw key bytes.
const PKCS8 = {
  ed25519: Uint8Array.fromHex("302e020100300506032b657004220420"),
  x25519: Uint8Array.fromHex("302e020100300506032b656e04220420"),
} as const;
const SPKI = {
  ed25519: Uint8Array.fromHex("302a300506032b6570032100"),
  x25519: Uint8Array.fromHex("302a300506032b656e032100"),
} as const;
type Curve = keyof typeof PKCS8;

const TAG_BYTES = 16;
const KEY_BYTES = 32;

function privateKey(curve: Curve, raw: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8[curve], raw]), format: "der", type: "pkcs8" });
}

function publicKey(curve: Curve, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI[curve], raw]), format: "der", type: "spki" });
}

function rawPublicKey(curve: Curve, secret: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKey(curve, secret)).export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(der.length - KEY_BYTES));
}

function sharedSecret(secret: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
  try {
    const shared = diffieHellman({ privateKey: privateKey("x25519", secret), publicKey: publicKey("x25519", peer) });
    return shared.every((byte) => byte === 0) ? undefined : new Uint8Array(shared);
  } catch (error) {
    // OpenSSL fails the derivation where RFC 7748 6.1 lets us check for zero; any other failure is ours.
    if (error instanceof Error && "code" in error && error.code === "ERR_OSSL_FAILED_DURING_DERIVATION")
      return undefined;
    throw error;
  }
}

function seal({ key, nonce, aad, data }: ChaChaInput): Uint8Array {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad, { plaintextLength: data.length });
  return new Uint8Array(Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]));
}

function open({ key, nonce, aad, data }: ChaChaInput): Uint8Array | undefined {
  if (data.length < TAG_BYTES) return undefined;
  const body = data.subarray(0, data.length - TAG_BYTES);
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad, { plaintextLength: body.length });
  decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
  const plaintext = decipher.update(body);
  try {
    return new Uint8Array(Buffer.concat([plaintext, decipher.final()]));
  } catch {
    // The one documented failure of final(): the tag does not fit.
    return undefined;
  }
}

function deriveArgon2id(input: Argon2Input): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  argon2(
    "argon2id",
    {
      message: input.password,
      nonce: input.salt,
      memory: input.memoryKiB,
      passes: input.passes,
      parallelism: input.lanes,
      tagLength: input.bytes,
    },
    (error, key) => (error === null ? resolve(new Uint8Array(key)) : reject(error)),
  );
  return promise;
}

export const primitives: Primitives = {
  sha256: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
  hmacSha256: (key, data) => new Uint8Array(createHmac("sha256", key).update(data).digest()),
  ed25519PublicKey: (seed) => rawPublicKey("ed25519", seed),
  ed25519Sign: (seed, message) => new Uint8Array(sign(null, message, privateKey("ed25519", seed))),
  ed25519Equation: (key, message, signature) => verify(null, message, publicKey("ed25519", key), signature),
  x25519PublicKey: (secret) => rawPublicKey("x25519", secret),
  x25519: sharedSecret,
  sealChaCha: seal,
  openChaCha: open,
  argon2id: deriveArgon2id,
};
