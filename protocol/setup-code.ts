// The setup code: what a person carries to a second machine. It pins the tenant and holds the setup secret (SPEC 3.5).
import { primitives } from "#primitives";
import { concat, equal, fromBase64url, utf8 } from "./bytes.ts";
import { fromCrockford, toCrockford } from "./crockford.ts";
import { SETUP_SECRET_BYTES } from "./passphrase.ts";

const PREFIX = "KB1-";
const TENANT_BYTES = 16;
const CHECK_BYTES = 3;
// 35 bytes are 56 characters of five bits.
const CHARS = ((TENANT_BYTES + SETUP_SECRET_BYTES + CHECK_BYTES) * 8) / 5;

export type SetupCode = {
  /** First 16 bytes of the tenant's id. */
  readonly tenantPrefix: Uint8Array;
  readonly setupSecret: Uint8Array;
};

export function writeSetupCode(tenant: string, setupSecret: Uint8Array): string {
  const id = fromBase64url(tenant);
  if (id === undefined || setupSecret.length !== SETUP_SECRET_BYTES)
    throw new Error("internal error: setup code of unchecked parts");
  const body = concat(id.subarray(0, TENANT_BYTES), setupSecret);
  return PREFIX + toCrockford(concat(body, checkOf(body)), CHARS);
}

/** `undefined` where the text is no setup code or was mistyped: the checksum misses one error in 16 million. */
export function readSetupCode(text: string): SetupCode | undefined {
  const trimmed = text.trim().toUpperCase();
  if (!trimmed.startsWith(PREFIX)) return undefined;
  const bytes = fromCrockford(trimmed.slice(PREFIX.length), CHARS);
  const body = bytes?.subarray(0, TENANT_BYTES + SETUP_SECRET_BYTES);
  if (bytes === undefined || body === undefined || !equal(bytes.subarray(body.length), checkOf(body))) return undefined;
  return { tenantPrefix: body.subarray(0, TENANT_BYTES), setupSecret: body.subarray(TENANT_BYTES) };
}

function checkOf(body: Uint8Array): Uint8Array {
  return primitives.sha256(concat(utf8("keybound setup code 1"), body)).subarray(0, CHECK_BYTES);
}
