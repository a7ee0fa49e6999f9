// Ways to spoil bytes and values: what a relay, a bad disk or a hostile signer may make of a good statement.
import * as fc from "fast-check";
import { text, utf8 } from "../../protocol/bytes.ts";
import { type Kind, readEnvelope, signPayload } from "../../protocol/envelope.ts";
import type { Signer } from "../../protocol/signature.ts";
import { edited } from "../cast/statement.ts";
import { fields } from "./json-file.ts";

/** Any bytes, and these bytes with bits turned, parts cut out, doubled, swapped or taken from one another. */
export function spoiled(valid: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const one = fc.constantFrom(...valid);
  const place = fc.nat(1_000_000);
  const flips = fc
    .tuple(one, fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }))
    .map(([bytes, changes]) => changes.reduce<Uint8Array>((spoilt, [at, by]) => turned(spoilt, at, by), bytes));
  const cuts = fc.tuple(one, place, place).map(([bytes, a, b]) => bytes.subarray(a % (bytes.length + 1), b));
  const splices = fc.tuple(one, one, place, place).map(([a, b, at, from]) => {
    return new Uint8Array([...a.subarray(0, at % (a.length + 1)), ...b.subarray(from % (b.length + 1))]);
  });
  return fc.oneof(fc.uint8Array({ maxLength: 300 }), one, flips, cuts, splices);
}

function turned(bytes: Uint8Array, at: number, by: number): Uint8Array {
  const place = at % bytes.length;
  return bytes.with(place, (bytes[place] ?? 0) ^ by);
}

/** The same statement in other envelopes: URL-safe base64, signatures turned round or doubled, spaces, cut fields. */
export function reencoded(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const urlSafe = edited(bytes, ({ payload, ...rest }) => ({
    ...rest,
    payload: payload.replaceAll("+", "-").replaceAll("/", "_"),
  }));
  const reversed = edited(bytes, ({ signatures, ...rest }) => ({ ...rest, signatures: signatures.toReversed() }));
  const doubled = edited(bytes, ({ signatures, ...rest }) => ({ ...rest, signatures: [...signatures, ...signatures] }));
  const spaced = utf8(JSON.stringify(JSON.parse(text(bytes) ?? ""), undefined, 2));
  const unsigned = edited(bytes, (json) => ({ ...json, signatures: json.signatures.slice(1) }));
  const retyped = edited(bytes, (json) => ({ ...json, payloadType: json.payloadType.replace("job", "receipt") }));
  return fc.constantFrom(bytes, urlSafe, reversed, doubled, spaced, unsigned, retyped, bytes.subarray(0, -5));
}

const ODD_TEXTS = ["", " ", "\u202e", "\ud800", "any", "__proto__", "constructor", "A".repeat(43), "x".repeat(5000)];
const ODD_NUMBERS = [0, -1, -0, 1.5, 2 ** 53, Number.MAX_SAFE_INTEGER];
const ODD_REST: readonly unknown[] = [true, null, [], {}, [[[[[[[[[]]]]]]]]], [null], "A".repeat(22)];
const odd = fc.constantFrom<unknown>(...ODD_TEXTS, ...ODD_NUMBERS, ...ODD_REST);
const value = fc.oneof(odd, fc.string({ maxLength: 60 }), fc.integer(), fc.jsonValue({ maxDepth: 3 }));
const change = fc.record({
  path: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
  act: fc.constantFrom("replace", "remove", "add", "repeat"),
  value,
});
type Change = { readonly path: readonly number[]; readonly act: string; readonly value: unknown };

/** Statements whose fields were changed before the right people signed them: what a hostile signer sends. */
export function resigned(kind: Kind, valid: Uint8Array, signers: readonly Signer[]): fc.Arbitrary<Uint8Array> {
  const parsed: unknown = JSON.parse(text(readEnvelope(valid).payload) ?? "");
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce<unknown>((spoilt, one) => changed(spoilt, one), parsed))
    .map((payload) => signPayload(kind, utf8(sorted(payload)), signers));
}

function changed(target: unknown, { path: [first = 0, ...rest], act, value: by }: Change): unknown {
  if (Array.isArray(target)) {
    const items: unknown[] = [...target];
    const at = first % (items.length + 1);
    if (act === "repeat") return [...items, ...items];
    if (at === items.length || act === "add") return [...items, by];
    return rest.length > 0 ? items.with(at, changed(items[at], { path: rest, act, value: by })) : items.with(at, by);
  }
  if (typeof target !== "object" || target === null) return by;
  const entries = Object.entries(fields(target));
  const at = first % Math.max(1, entries.length);
  const [name, inner] = entries[at] ?? ["a", by];
  if (rest.length > 0) return Object.fromEntries([...entries, [name, changed(inner, { path: rest, act, value: by })]]);
  if (act === "remove") return Object.fromEntries(entries.toSpliced(at, 1));
  if (act === "add") return Object.fromEntries([...entries, ["extra", by]]);
  return Object.fromEntries([...entries, [name, by]]);
}

/** JSON with members in order, and otherwise whatever it is: the strict reader has to judge it. */
function sorted(json: unknown): string {
  if (Array.isArray(json)) return `[${json.map(sorted).join(",")}]`;
  if (typeof json !== "object" || json === null) return JSON.stringify(json) ?? "null";
  const members = Object.entries(json).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${sorted(inner)}`).join(",")}}`;
}
