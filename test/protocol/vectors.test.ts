// Our own vectors: each refused input has its one fault, each mended one has none, each statement proves itself.
import { globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { describe, expect, test } from "vitest";
import { utf8 } from "../../protocol/bytes.ts";
import { pae, readEnvelope, statementId } from "../../protocol/envelope.ts";
import { MAX_PAYLOAD_BYTES } from "../../protocol/limits.ts";
import { signerOf } from "../../protocol/signature.ts";
import { encodeStrict, parseStrict } from "../../protocol/strict-json.ts";
import { Given } from "./given.ts";
import { field, list, textOf } from "./json-file.ts";
import { vectorFiles } from "./made/all-files.ts";
import { codeOf } from "./refused.ts";
import { READERS } from "./vector-readers.ts";

const FOLDER = join(import.meta.dirname, "../vectors");
const found = ["refusals", "statements"].flatMap((own) => globSync(`${own}/*.json`, { cwd: FOLDER }));
const files = new Map(found.map((path) => [path.split(sep).join("/"), readFileSync(join(FOLDER, path), "utf8")]));
const refusals = [...files]
  .filter(([path]) => path.startsWith("refusals/"))
  .flatMap(([, text]) => list(JSON.parse(text)))
  .map((vector) => [`${textOf(vector, "code")}: ${textOf(vector, "says")}`, vector] as const);
const statements = [...files].filter(([path]) => path.startsWith("statements/"));

test("the files are what `npm run vectors` writes, to the byte", () => {
  expect(Object.fromEntries(files)).toEqual(Object.fromEntries(vectorFiles()));
});

describe("refused for one fault, and taken without it", () => {
  test.each(refusals)("%s", (_title, vector) => {
    const read = READERS[textOf(vector, "reader")];
    if (read === undefined) throw new Error(`no reader ${textOf(vector, "reader")}`);
    expect(codeOf(() => read(new Given(field(vector, "refused"))))).toBe(textOf(vector, "code"));
    expect(codeOf(() => read(new Given(field(vector, "mended"))))).toBe("accepted");
  });
});

describe("a statement says how it is written, named and signed", () => {
  test.each(statements)("%s", (_path, text) => {
    const file: unknown = JSON.parse(text);
    const canonical = utf8(textOf(file, "canonical"));
    expect(encodeStrict(field(file, "payload"))).toEqual(canonical);
    expect(parseStrict(canonical, MAX_PAYLOAD_BYTES)).toEqual(field(file, "payload"));
    const envelope = readEnvelope(utf8(JSON.stringify(field(file, "envelope"))));
    expect(envelope.payload).toEqual(canonical);
    expect(statementId(envelope)).toBe(textOf(file, "id"));
    const message = pae(textOf(file, "payloadType"), canonical);
    for (const { key, signature } of envelope.signatures) {
      const signer = signerOf(Uint8Array.fromHex(textOf(field(file, "seeds"), key)));
      expect(signer.key).toBe(key);
      expect(signer.sign(message)).toEqual(signature);
    }
  });
});
