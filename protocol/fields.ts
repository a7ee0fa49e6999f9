// The types that statements' fields are made of, and reading a payload by its schema (SPEC 2.5).
import * as v from "valibot";
import { fromBase64url } from "./bytes.ts";
import { MAX_NAME_CHARS, MAX_PAYLOAD_BYTES, MAX_REASON_CHARS } from "./limits.ts";
import { refuse } from "./refusal.ts";
import { parseStrict } from "./strict-json.ts";

type Schema = v.GenericSchema<unknown, unknown>;

const base64urlOf = (bytes: number) =>
  v.pipe(
    v.string(),
    v.check((spelling) => fromBase64url(spelling)?.length === bytes, `unpadded base64url of ${bytes} bytes`),
  );

/** SHA-256, key thumbprint, statement id, tenant id or raw key: 32 bytes, 43 characters. */
export const Digest = base64urlOf(32);

// RFC 7748 6.1: the u-coordinates of low order, reduced or not, with the top bit cleared, which X25519 passes over.
const LOW_ORDER_U = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);
/** A raw X25519 key that something can be sealed to: one of low order would make the sealing of a whole job fail. */
export const SealingKey = v.pipe(
  Digest,
  v.check((spelling) => !LOW_ORDER_U.has(withoutTopBit(spelling)), "a key that is not of low order"),
);

function withoutTopBit(spelling: string): string {
  const key = fromBase64url(spelling) ?? new Uint8Array(32);
  key[31] = (key[31] ?? 0) & 0x7f;
  return key.toHex();
}

/** Id of an operator, job, token or batch, or a nonce: 16 random bytes, 22 characters. */
export const Id = base64urlOf(16);

export const whole = (min: number, max: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));
/** Milliseconds since the epoch, up to the year 9999. */
export const Time = whole(0, 253_402_300_799_999);
export const Seq = whole(0, Number.MAX_SAFE_INTEGER);
export const Bytes = whole(0, Number.MAX_SAFE_INTEGER);

// Control characters, and characters that are unseen or reorder text, would let a name show as another one in a terminal.
// Written as ranges (\p{Cc} never changes): Unicode gives characters to unassigned places every year, and then two devices of different ages
// would judge one entry of a key log differently.
const UNPRINTABLE =
  /[\p{Cc}\u{ad}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}-\u{180f}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{d800}-\u{f8ff}\u{fdd0}-\u{fdef}\u{feff}\u{ffa0}\u{fff0}-\u{fffb}\u{fffe}\u{ffff}\u{e0000}-\u{10ffff}]/u;
// The spaces of `String.prototype.trim`, spelled out for the same reason.
const SPACE_AT_END =
  /^[ \u{a0}\u{1680}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}]|[ \u{a0}\u{1680}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}]$/u;

/** Text for people: 1 to `max` code units, no control or reordering characters, no space at either end. */
export const label = (max: number) =>
  v.pipe(
    v.string(),
    v.maxLength(max),
    v.check((value) => value !== "" && !SPACE_AT_END.test(value) && !UNPRINTABLE.test(value), "printable text"),
  );
export const Name = label(MAX_NAME_CHARS);
export const Reason = label(MAX_REASON_CHARS);
/** A group's or a device class's name, as typed on a command line. */
export const Word = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,62}$/));

/** A place in a log and the id of the entry that stands there. */
export const LogPlace = v.strictObject({ seq: Seq, id: Digest });
export type LogPlace = Readonly<v.InferOutput<typeof LogPlace>>;

/** Parses a payload as strict JSON and by its closed schema. Throws a `json-*` or `field-*` refusal. */
export function readFields<const S extends Schema>(
  schema: S,
  payload: Uint8Array,
  maxBytes: number = MAX_PAYLOAD_BYTES,
): v.InferOutput<S> {
  const value = parseStrict(payload, maxBytes);
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw refusalOf(parsed.issues[0]);
}

function refusalOf(issue: v.BaseIssue<unknown>) {
  const path = v.getDotPath(issue) ?? "the statement";
  if (issue.type === "strict_object" && issue.expected === "never") return refuse("field-unknown", path);
  if (issue.received === "undefined") return refuse("field-missing", path);
  return refuse("field-invalid", `${path}: ${issue.type}${issue.expected === null ? "" : ` ${issue.expected}`}`);
}
