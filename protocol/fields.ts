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
/** Id of an operator, job, token or batch, or a nonce: 16 random bytes, 22 characters. */
export const Id = base64urlOf(16);

export const whole = (min: number, max: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));
/** Milliseconds since the epoch, up to the year 9999. */
export const Time = whole(0, 253_402_300_799_999);
export const Seq = whole(0, Number.MAX_SAFE_INTEGER);
export const Bytes = whole(0, Number.MAX_SAFE_INTEGER);

// Control characters and the marks that reorder text would let a name show as another one in a terminal.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{2069}\u{feff}]/u;

/** Text for people: 1 to `max` code units, no control or reordering characters, no space at either end. */
export const label = (max: number) =>
  v.pipe(
    v.string(),
    v.maxLength(max),
    v.check((value) => value !== "" && value === value.trim() && !UNPRINTABLE.test(value), "printable text"),
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
