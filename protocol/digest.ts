// SHA-256 as statements name it: 43 characters of base64url.
import { primitives } from "#primitives";
import { toBase64url } from "./bytes.ts";

export function digest(bytes: Uint8Array): string {
  return toBase64url(primitives.sha256(bytes));
}
