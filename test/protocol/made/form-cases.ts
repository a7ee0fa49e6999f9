// Vectors of the envelope's form and of strict JSON.
import { device } from "../../cast/device.ts";
import { jobFor } from "../../cast/job.ts";
import { person } from "../../cast/person.ts";
import { edited, signFields } from "../../cast/statement.ts";
import { signersOf, Tenant } from "../../cast/tenant.ts";
import { b64, b64Text, casesOf, type RefusalCase } from "./case.ts";

const MAX_ENVELOPE = 131_072;

export function envelopeCases(): readonly RefusalCase[] {
  const { envelope, manifest } = jobFor({ tenant: new Tenant(), devices: [device("web-1")] });
  const good = { envelope: b64(envelope) };
  const crowd = signersOf(Array.from({ length: 9 }, (_, i) => person(`signer ${i}`)));
  const by = (count: number) => ({ envelope: b64(signFields("job", manifest, crowd.slice(0, count))) });
  const padded = (padTo: number) => ({ envelope: { base64: good.envelope, padTo } });
  const unpadded = edited(envelope, ({ signatures: [first], ...json }) => ({
    ...json,
    signatures: [{ ...first, sig: first?.sig.replaceAll("=", "") }],
  }));
  const twice = edited(envelope, (json) => ({ ...json, signatures: [...json.signatures, ...json.signatures] }));
  const checkpoint = signFields("checkpoint", manifest, crowd.slice(0, 1));
  return casesOf("envelope", [
    ["envelope-size", "filled up with spaces by one byte too many", padded(MAX_ENVELOPE + 1), padded(MAX_ENVELOPE)],
    ["envelope-json", "the last brace is cut off", { envelope: b64(envelope.subarray(0, -1)) }, good],
    ["envelope-form", "a fourth member", { envelope: b64(edited(envelope, (json) => ({ ...json, note: "" }))) }, good],
    ["envelope-base64", "a signature whose base64 is not padded", { envelope: b64(unpadded) }, good],
    ["envelope-type", "a checkpoint where a job is expected", { envelope: b64(checkpoint) }, good],
    ["envelope-signatures", "nine signatures instead of eight", by(9), by(8)],
    ["envelope-key-repeated", "the one signature stands there twice", { envelope: b64(twice) }, good],
  ]);
}
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
const members = (count: number) => {
  const keys = Array.from({ length: count }, (_, i) => `k${String(i).padStart(2, "0")}`);
  return `{${keys.map((key) => `"${key}":0`).join(",")}}`;
};
const jsonGiven = (text: string, maxBytes = 65_536) => ({ json: b64Text(text), maxBytes, text });

export function jsonCases(): readonly RefusalCase[] {
  const notUtf8 = { json: b64(Uint8Array.fromHex("7b2261223a22ff227d")), maxBytes: 65_536 };
  return casesOf("strict-json", [
    ["json-size", "one byte over the bound", jsonGiven('{"a":1}', 6), jsonGiven('{"a":1}', 7)],
    ["json-utf8", "a byte that is not UTF-8 in a string", notUtf8, jsonGiven('{"a":"y"}')],
    ["json-depth", "nine levels instead of eight", jsonGiven(nested(9)), jsonGiven(nested(8))],
    ["json-syntax", "a comma too many", jsonGiven('{"a":1,}'), jsonGiven('{"a":1}')],
    ["json-top", "a list where an object is expected", jsonGiven("[]"), jsonGiven("{}")],
    ["json-null", "null for a value", jsonGiven('{"a":null}'), jsonGiven('{"a":0}')],
    ["json-number", "2^53", jsonGiven('{"a":9007199254740992}'), jsonGiven('{"a":9007199254740991}')],
    ["json-surrogate", "half of a character, escaped", jsonGiven(String.raw`{"a":"\ud83d"}`), jsonGiven('{"a":"😀"}')],
    ["json-key", "a member's name with a capital first", jsonGiven('{"A":1}'), jsonGiven('{"a":1}')],
    ["json-items", "65 members instead of 64", jsonGiven(members(65)), jsonGiven(members(64))],
    ["json-not-canonical", "members out of order", jsonGiven('{"b":1,"a":2}'), jsonGiven('{"a":2,"b":1}')],
  ]);
}

export function frameCases(): readonly RefusalCase[] {
  const header = new TextEncoder().encode(`{"job":"${"A".repeat(22)}","type":"taken"}`);
  const frame = (length: number) => b64(new Uint8Array([0, 0, 0, length, ...header]));
  return casesOf("frame", [
    [
      "frame-form",
      "a header that is said to be one byte longer than the frame",
      { frame: frame(header.length + 1) },
      { frame: frame(header.length) },
    ],
  ]);
}
