// A request for a key that nobody has approved yet, as this home keeps it: what was sent, and the nonce that is told to an admin.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { fromBase64url, text, toBase64url, utf8 } from "../../protocol/bytes.ts";
import { Digest, whole } from "../../protocol/fields.ts";
import { MAX_CARRIED_CHARS } from "../../protocol/limits.ts";
import { Fault } from "../fault.ts";
import { readBounded, writeWhole } from "./stored-file.ts";

const FILE = "key-request.json";

const Stored = v.strictObject({
  version: v.literal(1),
  request: v.pipe(v.string(), v.maxLength(MAX_CARRIED_CHARS)),
  nonce: Digest,
  /** How many times the nonce was told: after a few, a new request is made. */
  sessions: whole(0, 1000),
});

export type PendingRequest = {
  /** The envelope as it was signed. */
  readonly bytes: Uint8Array;
  readonly nonce: Uint8Array;
  readonly sessions: number;
};

export function writePending(folder: string, { bytes, nonce, sessions }: PendingRequest): void {
  const stored = { version: 1, request: toBase64url(bytes), nonce: toBase64url(nonce), sessions };
  writeWhole(join(folder, FILE), utf8(`${JSON.stringify(stored)}\n`), { replace: true });
}

/** `undefined` where this home waits for nothing. Throws `home-broken`. */
export function readPending(folder: string): PendingRequest | undefined {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  const parsed = v.safeParse(Stored, jsonOf(readBounded(path, 2 * MAX_CARRIED_CHARS)));
  const bytes = parsed.success ? fromBase64url(parsed.output.request) : undefined;
  const nonce = parsed.success ? fromBase64url(parsed.output.nonce) : undefined;
  if (!parsed.success || bytes === undefined || nonce === undefined) throw new Fault("home-broken", path);
  return { bytes, nonce, sessions: parsed.output.sessions };
}

export function removePending(folder: string): void {
  rmSync(join(folder, FILE), { force: true });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(text(bytes) ?? "") as unknown;
  } catch {
    // The one documented failure of JSON.parse: a SyntaxError.
    return undefined;
  }
}
