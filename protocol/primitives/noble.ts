// The primitives over noble's libraries: what a browser bundle uses, and what tests hold Node's answers against.
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { ChaChaInput, Primitives } from "./types.ts";

/** Noble's strict mode uses the cofactored equation; with R torsion-free as well, both equations are one (SPEC 3.2). */
function equation(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    if (!ed25519.Point.fromBytes(signature.subarray(0, 32), false).isTorsionFree()) return false;
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    // Noble throws for bytes that are no point: R is a stranger's, so that is a signature that does not fit.
    return false;
  }
}

function shared(secret: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(secret, peer);
  } catch {
    // Noble throws for an all-zero result, RFC 7748 6.1.
    return undefined;
  }
}

function open({ key, nonce, aad, data }: ChaChaInput): Uint8Array | undefined {
  try {
    return chacha20poly1305(key, nonce, aad).decrypt(data);
  } catch {
    // Noble throws where the tag does not fit.
    return undefined;
  }
}

export const primitives: Primitives = {
  sha256: (data) => sha256(data),
  hmacSha256: (key, data) => hmac(sha256, key, data),
  ed25519PublicKey: (seed) => ed25519.getPublicKey(seed),
  ed25519Sign: (seed, message) => ed25519.sign(message, seed),
  ed25519Equation: equation,
  x25519PublicKey: (secret) => x25519.getPublicKey(secret),
  x25519: shared,
  sealChaCha: ({ key, nonce, aad, data }) => chacha20poly1305(key, nonce, aad).encrypt(data),
  openChaCha: open,
  argon2id: ({ password, salt, memoryKiB, passes, lanes, bytes }) =>
    argon2idAsync(password, salt, { m: memoryKiB, t: passes, p: lanes, dkLen: bytes }),
};
