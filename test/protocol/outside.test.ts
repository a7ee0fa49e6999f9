// The vectors of others: every one of them under our profile, on the shipped runtime's primitives and on noble's alone.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fromBase64Envelope, utf8 } from "../../protocol/bytes.ts";
import { pae } from "../../protocol/envelope.ts";
import { hpkeOpen, hpkeSeal } from "../../protocol/hpke.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { primitives as noble } from "../../protocol/primitives/noble.ts";
import { primitives as node } from "../../protocol/primitives/node.ts";
import type { Primitives } from "../../protocol/primitives/types.ts";
import { thumbprint, verifySignature } from "../../protocol/signature.ts";
import { parseStrict } from "../../protocol/strict-json.ts";
import { seeded } from "../cast/random.ts";
import { codeOf } from "./refused.ts";
import { field, fields, list, textOf } from "./json-file.ts";

const FOLDER = join(import.meta.dirname, "../vectors/outside");
const load = (file: string): unknown => JSON.parse(readFileSync(join(FOLDER, file), "utf8"));
const hex = (text: string) => Uint8Array.fromHex(text);
const bothPrimitives: readonly (readonly [string, Primitives])[] = [
  ["the shipped runtime", node],
  ["noble alone", noble],
];

type Signed = { readonly key: string; readonly message: Uint8Array; readonly signature: string };

/** The profile: the key is admitted, then the signature checked. Both primitives answer, and answer alike. */
function accepts({ key, message, signature }: Signed): boolean {
  if (codeOf(() => admitKey(hex(key))) !== "accepted") return false;
  const given = { publicKey: hex(key), message, signature: hex(signature) };
  const answers = bothPrimitives.map(([, over]) => verifySignature(given, over));
  expect(answers[0]).toBe(answers[1]);
  return answers[0] === true;
}

describe("signatures", () => {
  test("of Wycheproof: exactly the valid ones", () => {
    const tests = list(load("wycheproof_ed25519_test.json"), "testGroups").flatMap((group) => {
      const key = textOf(field(group, "publicKey"), "pk");
      return list(group, "tests").map((one) => ({ key, one }));
    });
    expect(tests).toHaveLength(151);
    for (const { key, one } of tests) {
      const signed = { key, message: hex(textOf(one, "msg")), signature: textOf(one, "sig") };
      expect(accepts(signed), `test ${JSON.stringify(fields(one)["tcId"])}`).toBe(textOf(one, "result") === "valid");
    }
  });

  test("of ed25519-speccheck: none of the twelve", () => {
    const cases = list(load("speccheck_cases.json"));
    expect(cases).toHaveLength(12);
    const accepted = cases.filter((one) =>
      accepts({
        key: textOf(one, "pub_key"),
        message: hex(textOf(one, "message")),
        signature: textOf(one, "signature"),
      }),
    );
    expect(accepted).toEqual([]);
  });

  test("of CCTV: the one without a flag, of 914", () => {
    const vectors = list(load("cctv_ed25519vectors.json"));
    expect(vectors).toHaveLength(914);
    const accepted = vectors.filter((one) =>
      accepts({ key: textOf(one, "key"), message: utf8(textOf(one, "msg")), signature: textOf(one, "sig") }),
    );
    expect(accepted).toHaveLength(1);
    expect(accepted.map((one) => fields(one)["flags"])).toEqual([null]);
  });

  test("with a small-order key or a small-order R: never, in any spelling", () => {
    const encodings = list(load("ed25519_small_order_encodings.json"), "encodings").map(String);
    expect(encodings).toHaveLength(14);
    for (const key of encodings) expect(codeOf(() => admitKey(hex(key)))).toMatch(/^key-(small-order|form)$/);
    const publicKey = node.ed25519PublicKey(seeded("small order")(32));
    for (const r of encodings) {
      for (const [, over] of bothPrimitives) {
        const signature = new Uint8Array([...hex(r), 1, ...new Uint8Array(31)]);
        expect(verifySignature({ publicKey, message: utf8("m"), signature }, over)).toBe(false);
      }
    }
  });

  test("changed in any one byte: refused by both primitives", () => {
    const seed = seeded("mauled")(32);
    const message = utf8("message");
    const signature = node.ed25519Sign(seed, message);
    expect(noble.ed25519Sign(seed, message)).toEqual(signature);
    const publicKey = noble.ed25519PublicKey(seed);
    expect(publicKey).toEqual(node.ed25519PublicKey(seed));
    for (const [, over] of bothPrimitives) {
      expect(verifySignature({ publicKey, message, signature }, over)).toBe(true);
      for (let at = 0; at < 64; at++) {
        const changed = signature.with(at, (signature[at] ?? 0) ^ 0x10);
        expect(verifySignature({ publicKey, message, signature: changed }, over)).toBe(false);
      }
      for (const length of [0, 63, 65]) {
        const cut = new Uint8Array(length);
        expect(verifySignature({ publicKey, message, signature: cut }, over)).toBe(false);
      }
    }
  });
});

describe("DSSE", () => {
  const file = load("dsse_vectors.json");
  const keys = new Map(list(file, "keys").map((key) => [textOf(key, "keyid_rfc7638"), textOf(key, "publicKeyHex")]));

  test("key ids are RFC 7638 thumbprints", () => {
    for (const [id, key] of keys) expect(thumbprint(hex(key))).toBe(id);
  });

  test("the pre-authentication encoding counts bytes", () => {
    for (const one of list(file, "paeOnly")) {
      expect(pae(textOf(one, "type"), utf8(textOf(one, "body")))).toEqual(utf8(textOf(one, "pae")));
    }
  });

  test("envelopes have the encoding, the digest and the signatures that they name", () => {
    for (const one of list(file, "vectors")) {
      const message = pae(textOf(one, "payloadType"), utf8(textOf(one, "bodyUtf8")));
      expect(message.toHex()).toBe(textOf(one, "paeHex"));
      expect(node.sha256(message).toHex()).toBe(textOf(one, "paeSha256"));
      for (const signed of list(field(one, "envelope"), "signatures")) {
        const publicKey = hex(keys.get(textOf(signed, "keyid")) ?? "");
        const signature = fromBase64Envelope(textOf(signed, "sig"));
        expect(verifySignature({ publicKey, message, signature })).toBe(true);
      }
    }
  });
});

describe("strict JSON", () => {
  const generated = new Map([
    ["65537 bytes", new Uint8Array(65_537).fill(0x20)],
    ["deep 200k", utf8("[".repeat(200_000)).subarray(0, 65_536)],
  ]);

  test.each(list(load("strict_json_cases.json"), "cases").map((one) => [textOf(one, "name"), one] as const))(
    "%s",
    (name, one) => {
      const bytes = generated.get(name) ?? hex(textOf(one, "hex"));
      const expected = textOf(one, "expect");
      expect(codeOf(() => parseStrict(bytes, 65_536))).toBe(expected === "accept" ? "accepted" : expected);
    },
  );
});

describe("HPKE, RFC 9180 A.2.1", () => {
  const file = load("rfc9180_x25519_chacha_base.json");
  const setup = (name: string) => hex(textOf(field(file, "setup"), name));

  test("the key and the nonce of the schedule are the vector's", () => {
    const [first] = list(file, "encryptions");
    const data = hex(textOf(first, "pt"));
    const sealed = hpkeSeal(setup("pkRm"), { info: setup("info"), data }, setup("skEm"));
    const aead = { key: setup("key"), nonce: setup("base_nonce"), aad: new Uint8Array(0), data };
    expect(sealed?.subarray(0, 32)).toEqual(setup("enc"));
    expect(sealed?.subarray(32)).toEqual(node.sealChaCha(aead));
    expect(hpkeOpen(setup("skRm"), { info: setup("info"), data: sealed ?? data })).toEqual(data);
  });

  test.each(bothPrimitives)("the cipher is the vector's on %s", (_name, over) => {
    for (const one of list(file, "encryptions")) {
      const [nonce, aad, data, ct] = ["nonce", "aad", "pt", "ct"].map((name) => hex(textOf(one, name)));
      if (nonce === undefined || aad === undefined || data === undefined || ct === undefined)
        throw new Error("a vector of four");
      expect(over.sealChaCha({ key: setup("key"), nonce, aad, data })).toEqual(ct);
      expect(over.openChaCha({ key: setup("key"), nonce, aad, data: ct })).toEqual(data);
    }
  });
});

describe("Argon2, RFC 9106 5.3", () => {
  // The vector has a secret and associated data, which our function does not take; so its parameters are held against
  // the library that takes both, and our two functions against each other.
  test("both primitives derive the same", async () => {
    const input = { password: utf8("correct horse"), salt: seeded("salt")(16), memoryKiB: 64, passes: 3, lanes: 4 };
    const [a, b] = await Promise.all([node, noble].map((over) => over.argon2id({ ...input, bytes: 32 })));
    expect(a).toEqual(b);
  });

  test("the runtime's function gives the vectors' tags", async () => {
    const { argon2Sync } = await import("node:crypto");
    for (const one of list(load("rfc9106_argon2.json"))) {
      const of = (name: string) => Number(fields(one)[name]);
      const name = textOf(one, "algorithm");
      if (name !== "argon2d" && name !== "argon2i" && name !== "argon2id") throw new Error(name);
      const tag = argon2Sync(name, {
        message: hex(textOf(one, "password")),
        nonce: hex(textOf(one, "salt")),
        secret: hex(textOf(one, "secret")),
        associatedData: hex(textOf(one, "ad")),
        memory: of("memoryKiB"),
        passes: of("passes"),
        parallelism: of("lanes"),
        tagLength: of("tagLength"),
      });
      expect(tag.toString("hex")).toBe(textOf(one, "tag"));
    }
  });
});

describe("X25519", () => {
  test("both primitives agree, and answer nothing for a key of low order", () => {
    const secret = seeded("x25519")(32);
    const peer = node.x25519PublicKey(seeded("peer")(32));
    expect(noble.x25519PublicKey(secret)).toEqual(node.x25519PublicKey(secret));
    expect(noble.x25519(secret, peer)).toEqual(node.x25519(secret, peer));
    for (const low of [
      `00${"00".repeat(31)}`,
      `01${"00".repeat(31)}`,
      `ed${"ff".repeat(30)}7f`,
      `ed${"ff".repeat(31)}`,
    ]) {
      for (const [, over] of bothPrimitives) expect(over.x25519(secret, hex(low))).toBeUndefined();
    }
  });
});
