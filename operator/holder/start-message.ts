// What a new key holder is told over its standard input: a line of JSON without a secret in it, then the two seeds as bytes.
import * as v from "valibot";
import { concat, utf8 } from "../../protocol/bytes.ts";
import type { OperatorSeeds } from "../../protocol/passphrase.ts";
import { LoginSession } from "./login-session.ts";
import { readJson } from "./message.ts";

const SEED_BYTES = 32;
/** Paths and numbers are a few hundred bytes. */
export const MAX_START_BYTES = 64 * 1024;

const StartTerms = v.strictObject({
  /** A file of the home: where it goes, the holder goes too. */
  home: v.string(),
  address: v.string(),
  folder: v.string(),
  lock: v.string(),
  lifetimeMs: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  session: v.exactOptional(LoginSession),
});
export type StartTerms = v.InferOutput<typeof StartTerms>;

export type Start = { readonly terms: StartTerms; readonly seeds: OperatorSeeds };

export function writeStart({ terms, seeds }: Start): Uint8Array {
  return concat(utf8(`${JSON.stringify(terms)}\n`), seeds.signing, seeds.sealing);
}

/** `undefined` for anything else. The seeds are parts of the bytes. */
export function readStart(bytes: Uint8Array): Start | undefined {
  const end = bytes.indexOf(0x0a);
  const seeds = bytes.subarray(end + 1);
  if (end < 0 || seeds.length !== 2 * SEED_BYTES) return undefined;
  const terms = readJson(StartTerms, bytes.subarray(0, end));
  return terms && { terms, seeds: { signing: seeds.subarray(0, SEED_BYTES), sealing: seeds.subarray(SEED_BYTES) } };
}
