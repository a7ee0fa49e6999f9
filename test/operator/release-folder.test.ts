// The folder of a release as a client reads it that was built with a release key: only what the key signed for is taken.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readRelease } from "../../operator/deployment/release-folder.ts";
import { toBase64url } from "../../protocol/bytes.ts";
import { pinnedOf, releaseOf, releaseSigner } from "../cast/release.ts";
import { releaseIn, sha256, writeSums } from "./release.ts";

const KEYS = pinnedOf(releaseSigner());
const NO_KEYS = pinnedOf();
const DEBS = ["keybound-agent_0.1.0_amd64.deb", "keybound-agent_0.1.0_arm64.deb"];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "keybound-release-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return releaseIn(join(path, "release"));
}

/** Signs for the .deb files as they lie there. */
function sign(release: string, signer = releaseSigner()): void {
  const files = DEBS.map((name) => {
    const content = readFileSync(join(release, name));
    const platform = name.includes("amd64") ? "linux-x64" : "linux-arm64";
    const hash = toBase64url(Uint8Array.fromHex(sha256(join(release, name))));
    return { name, platform, use: "installer", sha256: hash, bytes: content.length };
  });
  writeFileSync(join(release, "release.json"), releaseOf({ version: "0.1.0", signers: [signer], over: { files } }));
}

const standing = (release: string, keys = KEYS) => readRelease(release, ["linux-deb"], keys).standing.signed;

test("a release that a pinned key signed for is taken as signed", () => {
  const release = folder();
  sign(release);
  expect(standing(release)).toBe(true);
});

test("one whose signature is gone is refused, and not taken as one that never had any", () => {
  expect(() => standing(folder())).toThrow("release-signature");
});

test("one whose installer and SHA256SUMS were both exchanged after the signature is refused", () => {
  const release = folder();
  sign(release);
  writeFileSync(join(release, "keybound-agent_0.1.0_arm64.deb"), "another program");
  writeSums(release);
  expect(() => standing(release)).toThrow("release-other: keybound-agent_0.1.0_arm64.deb");
});

test("one that a stranger's key signed for is refused", () => {
  const release = folder();
  sign(release, releaseSigner("stranger"));
  expect(() => standing(release)).toThrow(/^release-/);
});

test("a client without a key says that nobody checked, whether it is signed or not", () => {
  const release = folder();
  expect(standing(release, NO_KEYS)).toBe(false);
  sign(release);
  expect(standing(release, NO_KEYS)).toBe(false);
});
