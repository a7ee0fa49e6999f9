// Passphrases: generated ones, what is too easy, and where they are read from.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { strengthOf } from "../../operator/passphrase/strength.ts";
import { givenPassphrase } from "../../operator/passphrase/passphrase-input.ts";
import { generatedWords } from "../../operator/passphrase/words.ts";
import { seeded } from "../cast/random.ts";

const known = ["Acme Corp", "Ada Lovelace", "relay.acme.example"];

describe("a passphrase", () => {
  test("is six words that differ from one drawing to the next", async () => {
    const random = seeded("words");
    const [first, second] = [await generatedWords(random), await generatedWords(random)];
    expect(first).toMatch(/^[a-z]+( [a-z]+){5}$/);
    expect(first).not.toBe(second);
  });

  test("of generated words is strong enough without a setup secret", async () => {
    expect((await strengthOf(await generatedWords(seeded("words")), { mode: "passphrase", known })).isStrong).toBe(
      true,
    );
  });

  test.each(["Passw0rd!", "Summer2026!", "AcmeCorp1", "lovelace", "keybound1"])("%s is too easy", async (typed) => {
    const { isStrong, why } = await strengthOf(typed, { mode: "setup", known });
    expect([isStrong, why[0]]).toEqual([false, expect.stringContaining("guesses, at least 10^8 are needed")]);
  });

  test("of seven characters is too short, whatever they are", async () => {
    const { why } = await strengthOf("x9#Qz!7", { mode: "setup", known });
    expect(why[0]).toBe("it has 7 characters, at least 8 are needed");
  });

  test("that is strong enough beside a setup secret may be too weak alone", async () => {
    const typed = "vivid-crab-91-omelet";
    expect((await strengthOf(typed, { mode: "setup", known })).isStrong).toBe(true);
    expect((await strengthOf("kR7!pQ2#", { mode: "setup", known })).isStrong).toBe(true);
    expect((await strengthOf("kR7!pQ2#", { mode: "passphrase", known })).isStrong).toBe(false);
  });

  test("is read from a file without its last line break, and no more of it", () => {
    const folder = mkdtempSync(join(tmpdir(), "keybound-passphrase-"));
    const passphraseFile = join(folder, "file");
    writeFileSync(passphraseFile, " two  spaces \n");
    expect(givenPassphrase({ passphraseFile })).toBe(" two  spaces ");
    writeFileSync(passphraseFile, "two\nlines\n");
    expect(() => givenPassphrase({ passphraseFile })).toThrow("passphrase-odd");
    writeFileSync(passphraseFile, "x".repeat(5000));
    expect(() => givenPassphrase({ passphraseFile })).toThrow("file-large");
    rmSync(folder, { recursive: true });
  });
});
