// Release keys as builds pin them: the repository's own list, another's for a build, and none that is not admitted.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, it, onTestFinished } from "vitest";
import { readPinnedKeys, releaseKeysPlugin } from "../../scripts/pinned-keys.ts";
import { raw } from "../cast/person.ts";
import { releaseSigner } from "../cast/release.ts";

const ROOT = join(import.meta.dirname, "../..");
const KEY = raw(releaseSigner());

function fileOf(value: unknown): string {
  const at = mkdtempSync(join(tmpdir(), "keybound-keys-"));
  onTestFinished(() => rmSync(at, { recursive: true, force: true }));
  writeFileSync(join(at, "keys"), JSON.stringify(value));
  return join(at, "keys");
}

/** What a bundle of this file has for its keys. */
async function pinnedIn(entry: string, file: string | undefined): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    logLevel: "silent",
    platform: "node",
    plugins: [releaseKeysPlugin(file)],
  });
  return outputFiles[0]?.text ?? "";
}

describe("a build", () => {
  it.each(["agent/update/release-keys.ts", "operator/release/release-keys.ts"])(
    "pins the keys of the file that it is given into %s",
    async (entry) => {
      expect(await pinnedIn(entry, fileOf([KEY]))).toContain(KEY);
      expect(await pinnedIn(entry, undefined)).not.toContain(KEY);
    },
  );

  it.each([
    ["is no list", { keys: [KEY] }, /must be a list/],
    ["holds what is no key", ["AAAA"], /must be a list/],
    ["holds a key of small order", ["A".repeat(43)], /key-small-order/],
  ])("fails where the file %s", async (_what, value, words) => {
    await expect(pinnedIn("agent/update/release-keys.ts", fileOf(value))).rejects.toThrow(words);
  });

  it("has a list of the repository's own that it takes", () => {
    const file = join(ROOT, "packaging/release-keys.json");
    expect(readPinnedKeys(file)).toEqual(JSON.parse(readFileSync(file, "utf8")));
  });
});
