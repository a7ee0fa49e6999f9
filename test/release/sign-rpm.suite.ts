// The .rpm with a signature inside, by a key of the test's: rpm's own tools take it, and notice a changed byte.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { makeLinuxPackages } from "../../scripts/package/linux.ts";
import { needTools } from "../../scripts/package/tools.ts";

const KEY = "Release <release@example>";
// Debian's rpm does not know where its gpg is.
const DEFINED = ["--define", "__gpg /usr/bin/gpg", "--define", `_gpg_name ${KEY}`];

function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env } });
  return `${status}: ${stdout}${stderr}`;
}

it("is taken by rpm once it has the key, and not with another byte", async () => {
  needTools({ rpmsign: "rpm", gpg: "gnupg" });
  const at = mkdtempSync(join(tmpdir(), "keybound-rpm-"));
  onTestFinished(() => rmSync(at, { recursive: true, force: true }));
  const GNUPGHOME = join(at, "gnupg");
  mkdirSync(GNUPGHOME, { mode: 0o700 });
  onTestFinished(() => void run("gpgconf", ["--kill", "all"], { GNUPGHOME }));
  const generate = ["--batch", "--passphrase", "", "--quick-generate-key", KEY, "rsa3072", "sign"];
  expect(run("gpg", generate, { GNUPGHOME })).toMatch(/^0: /);
  const publicKey = join(at, "key.asc");
  expect(run("gpg", ["--batch", "--armor", "--output", publicKey, "--export", KEY], { GNUPGHOME })).toMatch(/^0: /);
  const sign = (file: string) => expect(run("rpmsign", [...DEFINED, "--addsign", file], { GNUPGHOME })).toMatch(/^0: /);
  const made = await makeLinuxPackages({ processor: "x64", version: "0.0.1", epochS: 1_700_000_000, folder: at, sign });
  const rpm = made.find((file) => file.endsWith(".rpm")) ?? "";

  const known = ["--dbpath", join(at, "rpmdb")];
  expect(run("rpm", [...known, "-K", rpm])).toContain("SIGNATURES NOT OK");
  expect(run("rpm", [...known, "--import", publicKey])).toMatch(/^0: /);
  expect(run("rpm", [...known, "-K", rpm])).toMatch(/^0: .*digests signatures OK$/m);

  const bytes = readFileSync(rpm);
  bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
  const changed = join(at, "changed.rpm");
  writeFileSync(changed, bytes);
  expect(run("rpm", [...known, "-K", changed])).toMatch(/^1: .*NOT OK$/m);
});
