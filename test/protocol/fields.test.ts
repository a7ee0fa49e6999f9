// Texts that people read, and frames: what passes for a name, and what a program may not send.
import { describe, expect, test } from "vitest";
import * as v from "valibot";
import { Name, SealingKey } from "../../protocol/fields.ts";
import { writeFrame } from "../../protocol/frame.ts";
import { sealingPairOf } from "../../protocol/passphrase.ts";
import { raw } from "../cast/person.ts";
import { seeded } from "../cast/random.ts";

const isName = (text: string) => v.safeParse(Name, text).success;

describe("a name", () => {
  test.each(["Ada", "Zoë Müller", "山田 太郎", "О'Хара", "a".repeat(64), "R2 😀", "\u{1fae9}"])("may be %j", (text) => {
    expect(isName(text)).toBe(true);
  });

  test.each([
    ["empty", ""],
    ["too long", "a".repeat(65)],
    ["with a space before", " Ada"],
    ["with a wide space after", "Ada\u3000"],
    ["with a line in it", "Ada\nadmin"],
    ["with an escape", "Ada\u001b[31m"],
    ["turned round", "Ada\u202enimda"],
    ["with a mark of direction", "Ada\u061c"],
    ["with an unseen letter", "A\u200bda"],
    ["of an unseen filler", "\u3164"],
    ["with a tag", "Ada\u{e0041}"],
    ["of private use", "\ue000"],
    ["with half a character", "Ada\ud83d"],
  ])("may not be %s", (_what, text) => {
    expect(isName(text)).toBe(false);
  });

  test("is judged by fixed ranges: a place that Unicode has given to nobody yet is as good as any", () => {
    expect(isName("\u{378}")).toBe(true);
  });
});

describe("a key to seal to", () => {
  test("is any but the seven of low order, with the top bit set or not", () => {
    expect(v.safeParse(SealingKey, raw(sealingPairOf(seeded("enc")(32)))).success).toBe(true);
    const low = ["e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", `ed${"ff".repeat(31)}`];
    for (const hex of low) {
      const key = Uint8Array.fromHex(hex).toBase64({ alphabet: "base64url", omitPadding: true });
      expect(v.safeParse(SealingKey, key).success).toBe(false);
    }
  });
});

const header = (chars: number) => ({ type: "failed", message: "x".repeat(chars) });

test("a frame whose header is too long for its reader is not written", () => {
  expect(() => writeFrame(header(70_000))).toThrow("internal error");
  expect(writeFrame(header(60_000)).length).toBeGreaterThan(60_000);
});
