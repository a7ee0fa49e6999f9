// HKDF-SHA256, RFC 5869, over the primitives' HMAC.
import { primitives } from "#primitives";
import { concat } from "./bytes.ts";

const HASH_BYTES = 32;

/** RFC 5869 2.2: a 32-byte pseudorandom key. */
export function extract(salt: Uint8Array, inputKey: Uint8Array): Uint8Array {
  return primitives.hmacSha256(salt, inputKey);
}

/** RFC 5869 2.3. `bytes` is at most 255 times 32. */
export function expand({ key, info, bytes }: { key: Uint8Array; info: Uint8Array; bytes: number }): Uint8Array {
  if (bytes > 255 * HASH_BYTES) throw new Error(`internal error: ${bytes} bytes from HKDF`);
  let block: Uint8Array = new Uint8Array(0);
  let output: Uint8Array = new Uint8Array(0);
  for (let counter = 1; output.length < bytes; counter++) {
    block = primitives.hmacSha256(key, concat(block, info, Uint8Array.of(counter)));
    output = concat(output, block);
  }
  return output.slice(0, bytes);
}
