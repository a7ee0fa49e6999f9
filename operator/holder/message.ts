// What is said to the key holder and by it: one line of JSON each way, and then the connection ends.
import * as v from "valibot";
import { fromBase64url, text, toBase64url, utf8 } from "../../protocol/bytes.ts";
import { Digest, Id } from "../../protocol/fields.ts";

const Bytes = v.pipe(
  v.string(),
  v.transform((spelling) => fromBase64url(spelling)),
  v.custom<Uint8Array>((bytes) => bytes instanceof Uint8Array),
);
const Ms = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const Request = v.variant("ask", [
  /** Who are you? */
  v.strictObject({ ask: v.literal("hello") }),
  v.strictObject({ ask: v.literal("sign"), kind: v.string(), payload: Bytes }),
  v.strictObject({
    ask: v.literal("unwrap"),
    wrap: Bytes,
    purpose: v.picklist(["job-body", "job-output", "job-live", "token"]),
    statement: v.union([Digest, Id]),
  }),
  /** End when you are this old, if that is earlier. */
  v.strictObject({ ask: v.literal("shorten"), lifetimeMs: Ms }),
  v.strictObject({ ask: v.literal("end") }),
]);
export type HolderRequest = v.InferOutput<typeof Request>;

const Answer = v.variant("say", [
  v.strictObject({ say: v.literal("hello"), sig: Bytes, enc: Bytes, ageMs: Ms, leftMs: Ms }),
  v.strictObject({ say: v.literal("signed"), signature: Bytes }),
  v.strictObject({ say: v.literal("opened"), contentKey: Bytes }),
  /** The wrap is for another key or use. */
  v.strictObject({ say: v.literal("sealed") }),
  v.strictObject({ say: v.literal("done") }),
  v.strictObject({ say: v.literal("refused"), why: v.string() }),
]);
export type HolderAnswer = v.InferOutput<typeof Answer>;

/** `undefined` for anything that is no request. */
export function readRequest(line: Uint8Array): HolderRequest | undefined {
  return readJson(Request, line);
}

/** `undefined` for anything that is no answer. */
export function readAnswer(line: Uint8Array): HolderAnswer | undefined {
  return readJson(Answer, line);
}

/** One line with its end; bytes are base64url. */
export function writeLine(message: HolderRequest | HolderAnswer): Uint8Array {
  const spelled = Object.entries(message).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? toBase64url(value) : value,
  ]);
  return utf8(`${JSON.stringify(Object.fromEntries(spelled))}\n`);
}

/** What a line says, if it is of this form. */
export function readJson<const S extends v.GenericSchema>(schema: S, line: Uint8Array): v.InferOutput<S> | undefined {
  const parsed = v.safeParse(schema, parseJson(line), { abortEarly: true });
  return parsed.success ? parsed.output : undefined;
}

function parseJson(line: Uint8Array): unknown {
  try {
    return JSON.parse(text(line) ?? "") as unknown;
  } catch (error) {
    // The one documented failure of JSON.parse: a SyntaxError.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
