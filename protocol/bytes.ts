// Byte arrays: text in and out, joining, comparing, base64. Every decoder takes exactly one spelling of a value.
import { refuse } from "./refusal.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function utf8(value: string): Uint8Array {
  return encoder.encode(value);
}

/** UTF-8 to text; `undefined` for bytes that are not UTF-8. A byte order mark is kept, so that strict JSON refuses it. */
export function text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    // The one documented failure of a fatal decoder: bytes that are not UTF-8.
    return undefined;
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Equality of public values; it stops at the first difference, so it is not for secrets. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Equality that takes the same time wherever the difference is; for authentication codes. */
export function equalSecret(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** RFC 4648 5 without padding: the spelling of every id, key and digest in a statement. */
export function toBase64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Bytes of an unpadded base64url text in its one canonical spelling; `undefined` for any other text. */
export function fromBase64url(spelling: string): Uint8Array | undefined {
  const bytes = decodeBase64(spelling, "base64url");
  return bytes !== undefined && toBase64url(bytes) === spelling ? bytes : undefined;
}

/** RFC 4648 4 with padding: the spelling of payloads and signatures in an envelope that we write. */
export function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/**
 * Bytes of a padded base64 text in the standard or the URL-safe alphabet, as DSSE 1.0 obliges a reader to accept.
 * Throws `envelope-base64` for a mixed alphabet, missing padding, white space or non-zero tail bits (SPEC 2.2).
 */
export function fromBase64Envelope(spelling: string): Uint8Array {
  const alphabet = /[-_]/.test(spelling) ? "base64url" : "base64";
  const bytes = decodeBase64(spelling, alphabet);
  if (bytes === undefined || bytes.toBase64({ alphabet }) !== spelling) {
    throw refuse("envelope-base64", "a value that is not padded, canonical base64 in one alphabet");
  }
  return bytes;
}

function decodeBase64(spelling: string, alphabet: "base64" | "base64url"): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(spelling, { alphabet });
  } catch {
    // The one documented failure: a SyntaxError for text outside the alphabet.
    return undefined;
  }
}
