// Admitting a public key, once, before anything is ever checked with it (SPEC 3.1). Needs noble's point arithmetic, which
// is heavy to load; so a device imports this file only when it has a key to admit.
import { ed25519 } from "@noble/curves/ed25519.js";
import { equal } from "./bytes.ts";
import { refuse } from "./refusal.ts";

/** Throws `key-form`, `key-small-order` or `key-torsion`; returning means that the key may be used. */
export type AdmitKey = (publicKey: Uint8Array) => void;

/** RFC 8032 5.1.3 decoding, canonical only, then not of small order, then torsion-free: [L]A = O. */
export const admitKey: AdmitKey = (publicKey) => {
  const point = decode(publicKey);
  if (point.isSmallOrder()) throw refuse("key-small-order", "a point of order 1, 2, 4 or 8");
  if (!point.isTorsionFree()) throw refuse("key-torsion", "a point outside the prime-order group");
};

function decode(publicKey: Uint8Array) {
  if (publicKey.length !== 32) throw refuse("key-form", `${publicKey.length} bytes, must be 32`);
  const point = unverifiedPoint(publicKey);
  if (point === undefined || !equal(point.toBytes(), publicKey))
    throw refuse("key-form", "no canonical encoding of a point");
  return point;
}

function unverifiedPoint(publicKey: Uint8Array) {
  try {
    return ed25519.Point.fromBytes(publicKey, false);
  } catch {
    // Noble throws for bytes that are no point.
    return undefined;
  }
}
