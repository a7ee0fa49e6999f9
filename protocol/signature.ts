// The one place where an Ed25519 signature is made or checked, under the profile of SPEC 3.2.
import { digest } from "./digest.ts";
import { primitives } from "#primitives";
import { equal, toBase64url, utf8 } from "./bytes.ts";
import type { Primitives } from "./primitives/types.ts";

export const SIGNATURE_BYTES = 64;

// RFC 8032 5.1: the order of the base point, 2^252 + 27742317777372353535851937790883648493, in little-endian bytes.
const ORDER = Uint8Array.fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

// Every y, reduced or not, of a point of order 1, 2, 4 or 8, without the sign bit: with it, the 14 encodings of SPEC 3.2.
const SMALL_ORDER_Y = [
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((hex) => Uint8Array.fromHex(hex));

/** A secret key in use. `key` is the RFC 7638 thumbprint of its public key. */
export type Signer = {
  readonly key: string;
  readonly publicKey: Uint8Array;
  readonly sign: (message: Uint8Array) => Uint8Array;
};

/** A signer for a 32-byte seed (RFC 8032 5.1.5). The seed stays referenced for as long as the signer is. */
export function signerOf(seed: Uint8Array): Signer {
  const publicKey = primitives.ed25519PublicKey(seed);
  return { key: thumbprint(publicKey), publicKey, sign: (message) => primitives.ed25519Sign(seed, message) };
}

/** Whether an admitted key made this signature. Total: any bytes give an answer, the same on every runtime we ship on. */
export function verifySignature(
  { publicKey, message, signature }: { publicKey: Uint8Array; message: Uint8Array; signature: Uint8Array },
  over: Primitives = primitives,
): boolean {
  if (publicKey.length !== 32 || signature.length !== SIGNATURE_BYTES) return false;
  const r = signature.subarray(0, 32);
  if (isSmallOrder(r) || !isBelow(signature.subarray(32), ORDER)) return false;
  return over.ed25519Equation(publicKey, message, signature);
}

/** RFC 7638 thumbprint of an Ed25519 (or, named so, X25519) public key in the JWK form of RFC 8037 2: 43 characters. */
export function thumbprint(publicKey: Uint8Array, curve: "Ed25519" | "X25519" = "Ed25519"): string {
  return digest(utf8(`{"crv":"${curve}","kty":"OKP","x":"${toBase64url(publicKey)}"}`));
}

function isSmallOrder(point: Uint8Array): boolean {
  const y = point.slice();
  y[31] = (y[31] ?? 0) & 0x7f;
  return SMALL_ORDER_Y.some((small) => equal(small, y));
}

/** Little-endian comparison of public values. */
function isBelow(value: Uint8Array, bound: Uint8Array): boolean {
  for (let i = bound.length - 1; i >= 0; i--) {
    const difference = (value[i] ?? 0) - (bound[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
