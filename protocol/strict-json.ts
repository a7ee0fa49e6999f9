// Strict JSON: bytes are accepted only if they are the RFC 8785 form of a value inside our bounds (SPEC 2.3).
import { equal, text, utf8 } from "./bytes.ts";
import { MAX_JSON_DEPTH, MAX_JSON_ITEMS, MAX_JSON_KEYS } from "./limits.ts";
import { refuse } from "./refusal.ts";

export type Json = string | number | boolean | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

const KEY = /^[a-z][A-Za-z0-9]{0,39}$/;

/** The object that these bytes are. Throws a `json-*` refusal; size and depth are checked before anything is parsed. */
export function parseStrict(bytes: Uint8Array, maxBytes: number): JsonObject {
  if (bytes.length > maxBytes) throw refuse("json-size", `${bytes.length} bytes, at most ${maxBytes}`);
  const source = text(bytes);
  if (source === undefined) throw refuse("json-utf8", "bytes that are not UTF-8");
  checkDepth(bytes);
  const value = parse(source);
  if (!isObject(value)) throw refuse("json-top", "the outermost value is not an object");
  const checked = checkObject(value);
  if (!equal(utf8(canonical(checked)), bytes)) {
    throw refuse("json-not-canonical", "bytes that differ from the RFC 8785 form of their value");
  }
  return checked;
}

/** The RFC 8785 bytes of a value that we made. Throws an internal error where `parseStrict` would refuse the value. */
export function encodeStrict(value: unknown): Uint8Array {
  try {
    return utf8(canonical(check(value)));
  } catch (error) {
    throw new Error("internal error: a value that strict JSON cannot carry", { cause: error });
  }
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    // The one documented failure of JSON.parse: a SyntaxError.
    throw refuse("json-syntax", "bytes that are not JSON");
  }
}

// JSON.parse recurses without a bound of its own, so nesting is counted over the bytes first. Brackets inside strings
// are skipped; where the text is no JSON at all the count may be off, and parsing refuses it.
function checkDepth(bytes: Uint8Array): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) depth--;
    if (depth > MAX_JSON_DEPTH) throw refuse("json-depth", `nesting deeper than ${MAX_JSON_DEPTH}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function check(value: unknown): Json {
  if (typeof value === "boolean") return value;
  if (typeof value === "string") return checkString(value);
  if (typeof value === "number") return checkNumber(value);
  if (value === null) throw refuse("json-null", "null");
  if (Array.isArray(value)) return checkArray(value);
  if (isObject(value)) return checkObject(value);
  throw new Error(`internal error: a ${typeof value} in JSON`);
}

function checkString(value: string): string {
  if (!value.isWellFormed()) throw refuse("json-surrogate", "a lone surrogate");
  return value;
}

function checkNumber(value: number): number {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw refuse("json-number", `${Object.is(value, -0) ? "-0" : value}, which is no whole number below 2^53`);
  }
  return value;
}

function checkArray(value: readonly unknown[]): Json {
  if (value.length > MAX_JSON_ITEMS) throw refuse("json-items", `${value.length} items, at most ${MAX_JSON_ITEMS}`);
  return value.map(check);
}

function checkObject(value: Record<string, unknown>): JsonObject {
  const entries = Object.entries(value);
  if (entries.length > MAX_JSON_KEYS) throw refuse("json-items", `${entries.length} keys, at most ${MAX_JSON_KEYS}`);
  return Object.fromEntries(entries.map(([key, inner]) => [checkKey(key), check(inner)]));
}

function checkKey(key: string): string {
  if (!KEY.test(key)) throw refuse("json-key", "a key that is not a letter and up to 39 letters and digits");
  return key;
}

// RFC 8785 3.2: JSON.stringify is the specified form of strings and numbers; only the order of keys is left to do.
// Keys are ASCII, so sorting by code unit is sorting by byte.
function canonical(value: Json): string {
  if (isList(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`);
  return `{${members.join(",")}}`;
}
