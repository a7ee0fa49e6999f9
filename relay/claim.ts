// One-time claim codes: whoever holds one may make a tenant on this relay. Shown once, stored hashed.
import { createHash } from "node:crypto";
import { fromCrockford, toCrockford } from "../protocol/crockford.ts";
import { CLAIM_BYTES, CLAIM_CHARS, CLAIM_LIFETIME_MS } from "./limits.ts";
import type { ClaimStore } from "./store-claims.ts";

export type ClaimSetup = {
  readonly now: number;
  readonly random: (bytes: number) => Uint8Array;
  /** The tenant whose place the new one must take; without it the code makes a tenant of its own, and no other. */
  readonly retires?: string | undefined;
};

/** Makes a code that works once within seven days. */
export function makeClaim(claims: ClaimStore, { now, random, retires }: ClaimSetup): string {
  const code = toCrockford(random(CLAIM_BYTES), CLAIM_CHARS);
  const hash = claimHash(code);
  if (hash === undefined) throw new Error("internal error: a claim code that cannot be read");
  claims.add({ hash, now, expiresAt: now + CLAIM_LIFETIME_MS, retires });
  return code;
}

/** What a code is stored as; `undefined` for a text that is no code. */
export function claimHash(code: string): Uint8Array | undefined {
  const bytes = fromCrockford(code, CLAIM_CHARS);
  return bytes === undefined ? undefined : createHash("sha256").update("keybound claim code 1").update(bytes).digest();
}
