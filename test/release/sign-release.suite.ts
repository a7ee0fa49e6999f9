// Signing a release: what is signed is what stands in the folder, by keys in files, and Debian's own gpg and minisign take the sums.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { fromBase64url } from "../../protocol/bytes.ts";
import { readRelease, releaseKeys } from "../../protocol/release.ts";
import { needTools } from "../../scripts/package/tools.ts";
import { thumbprint } from "../../protocol/signature.ts";
import { contentOf } from "../cast/job-file.ts";
import { codeOf } from "../protocol/refused.ts";

const ROOT = join(import.meta.dirname, "../..");
const { version } = manifest;
const NAMES = [
  `keybound-agent_${version}_amd64.deb`,
  `keybound-agent_${version}_amd64.deb.cdx.json`,
  `keybound-agent-${version}-1.aarch64.rpm`,
  `keybound-agent-${version}-x64.msi`,
  `keybound-agent-${version}-macos-arm64.pkg`,
  `keybound-agent-${version}-linux-x64.update`,
  `keybound-agent-${version}-linux-arm64.update`,
  `keybound-${version}-linux-x64`,
  `keybound-relay-${version}-windows-x64.exe`,
  `keybound-agent-${version}-windows-x64.update`,
];

beforeAll(() => needTools({ gpg: "gpg", minisign: "minisign", openssl: "openssl" }), 300_000);

/** A release folder of small files, and a key made as the documentation says. */
function scene() {
  const at = mkdtempSync(join(tmpdir(), "keybound-release-"));
  onTestFinished(() => rmSync(at, { recursive: true, force: true }));
  const folder = join(at, "packages");
  mkdirSync(folder);
  for (const [i, name] of NAMES.entries()) writeFileSync(join(folder, name), contentOf(100 + i));
  writeSums(folder);
  return { at, folder, key: newKey(at, "key.pem") };
}

function writeSums(folder: string): void {
  const names = readdirSync(folder).filter((name) => name !== "SHA256SUMS");
  const sum = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
  writeFileSync(
    join(folder, "SHA256SUMS"),
    names
      .toSorted()
      .map((name) => `${sum(name)}  ${name}\n`)
      .join(""),
  );
}

function newKey(at: string, name: string, algorithm = "ed25519"): string {
  const file = join(at, name);
  execFileSync("openssl", ["genpkey", "-algorithm", algorithm, "-out", file], { stdio: "ignore" });
  chmodSync(file, 0o600);
  return file;
}

function sign(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { PATH = "", HOME = "" } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "scripts/sign-release.ts"), ...args], {
    encoding: "utf8",
    env: { PATH, HOME, SOURCE_DATE_EPOCH: "1700000000", ...env },
  });
  return { status, stdout, stderr };
}

/** The lines of docs/update.md, but that their passphrase comes from a file. */
function encryptedKey(at: string) {
  const [file, passphrase] = [join(at, "release-key.pem"), join(at, "passphrase")];
  writeFileSync(passphrase, "a test's own");
  const generate = ["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", `file:${passphrase}`, "-out", file];
  execFileSync("openssl", generate, { stdio: "ignore" });
  return { file, passphrase };
}

const publicOf = (key: string) => sign(["--key", key, "--public"]).stdout.trim();
const released = (folder: string) => new Uint8Array(readFileSync(join(folder, "release.json")));

/** A program that signs the file which is its one argument, as KEYBOUND_SIGN_SUMS names one. */
function signer(at: string, line: string): string {
  const file = join(at, "sign-sums");
  writeFileSync(file, `#!/bin/sh\nset -eu\n${line}\n`, { mode: 0o755 });
  return file;
}

describe("a release folder", () => {
  it("is signed as it stands, and a build with the key takes it", () => {
    const { folder, key } = scene();
    const publicKey = publicOf(key);
    expect(sign(["--key", key, "--folder", folder])).toMatchObject({ status: 0, stderr: "" });
    const { release, signers } = readRelease(released(folder), releaseKeys([publicKey]));
    expect([release.version, release.builtAt]).toEqual([version, 1_700_000_000_000]);
    expect(signers).toEqual([thumbprint(fromBase64url(publicKey) ?? new Uint8Array(0))]);
    expect(Object.fromEntries(release.files.map(({ name, use, platform }) => [name, `${use} ${platform}`]))).toEqual({
      [NAMES[0] ?? ""]: "installer linux-x64",
      [NAMES[2] ?? ""]: "installer linux-arm64",
      [NAMES[3] ?? ""]: "installer windows-x64",
      [NAMES[4] ?? ""]: "installer macos-arm64",
      [NAMES[5] ?? ""]: "update linux-x64",
      [NAMES[6] ?? ""]: "update linux-arm64",
      [NAMES[7] ?? ""]: "program linux-x64",
      [NAMES[8] ?? ""]: "program windows-x64",
      [NAMES[9] ?? ""]: "update windows-x64",
    });
    for (const { name, sha256, bytes } of release.files) {
      const content = readFileSync(join(folder, name));
      expect([name, sha256, bytes]).toEqual([
        name,
        createHash("sha256").update(content).digest("base64url"),
        content.length,
      ]);
    }
  });

  it("is the same bytes when it is signed again", () => {
    const { folder, key } = scene();
    sign(["--key", key, "--folder", folder]);
    const first = released(folder);
    sign(["--key", key, "--folder", folder]);
    expect(Buffer.compare(released(folder), first)).toBe(0);
  });

  it("is taken by builds before and after a change of keys, where both keys sign", () => {
    const { at, folder, key } = scene();
    const next = newKey(at, "next.pem");
    sign(["--key", key, "--key", next, "--folder", folder]);
    for (const pinned of [key, next])
      expect(readRelease(released(folder), releaseKeys([publicOf(pinned)])).signers).toHaveLength(1);
    const stranger = publicOf(newKey(at, "stranger.pem"));
    expect(codeOf(() => readRelease(released(folder), releaseKeys([stranger])))).toBe("release-unsigned");
  });
});

it("a key that lies encrypted comes by standard input", () => {
  const { at, folder } = scene();
  const { file, passphrase } = encryptedKey(at);
  const decrypted = `openssl pkey -in ${file} -passin file:${passphrase}`;
  const piped = (...args: readonly string[]) => {
    const line = `${decrypted} | SOURCE_DATE_EPOCH=1700000000 "$0" scripts/sign-release.ts --key /dev/stdin "$@"`;
    return execFileSync("sh", ["-c", line, process.execPath, ...args], { cwd: ROOT, encoding: "utf8" });
  };
  piped("--folder", folder);
  expect(readRelease(released(folder), releaseKeys([piped("--public").trim()])).signers).toHaveLength(1);
});

describe("nothing is signed where", () => {
  it.each([
    [
      "a file was changed",
      (folder: string) => writeFileSync(join(folder, NAMES[0] ?? ""), "other"),
      /is not of the hash/,
    ],
    ["a file is gone", (folder: string) => rmSync(join(folder, NAMES[0] ?? "")), /ENOENT/],
    [
      "a file is there that the sums do not list",
      (folder: string) => writeFileSync(join(folder, "more"), ""),
      /does not list more/,
    ],
    [
      "a file is of another version",
      (folder: string) => {
        writeFileSync(join(folder, "keybound-agent-9.9.9-linux-x64.update"), "");
        writeSums(folder);
      },
      /none of the files of a release/,
    ],
    [
      "the sums lead elsewhere",
      (folder: string) => writeFileSync(join(folder, "SHA256SUMS"), `${"0".repeat(64)}  ../key.pem\n`),
      /a line that is none/,
    ],
  ] as const)("%s", (_what, spoil, words) => {
    const { folder, key } = scene();
    spoil(folder);
    const { status, stderr } = sign(["--key", key, "--folder", folder]);
    expect([status, stderr]).toEqual([1, expect.stringMatching(words)]);
    expect(existsSync(join(folder, "release.json"))).toBe(false);
  });

  it.each([
    ["there is no key", () => [], /no key/],
    ["the key is of another kind", (at: string) => ["--key", newKey(at, "x", "x25519")], /must be ed25519/],
    [
      "others may read the key",
      (at: string) => {
        const key = newKey(at, "open.pem");
        chmodSync(key, 0o644);
        return ["--key", key];
      },
      /may be read by others/,
    ],
    ["the key is encrypted", (at: string) => ["--key", encryptedKey(at).file], /is encrypted\nhint: openssl pkey -in/],
  ] as const)("%s", (_what, keyOf, words) => {
    const { at, folder } = scene();
    const { status, stderr } = sign([...keyOf(at), "--folder", folder]);
    expect([status, stderr]).toEqual([1, expect.stringMatching(words)]);
    expect(existsSync(join(folder, "release.json"))).toBe(false);
  });
});

describe("SHA256SUMS for people with tools of their own", () => {
  it("is signed by gpg, and gpg takes it until it is changed", () => {
    const { at, folder, key } = scene();
    const home = join(at, "gnupg");
    mkdirSync(home, { mode: 0o700 });
    const gpg = (...args: readonly string[]) =>
      spawnSync("gpg", ["--homedir", home, "--batch", ...args], { stdio: "ignore" });
    onTestFinished(() => void spawnSync("gpgconf", ["--homedir", home, "--kill", "all"]));
    expect(gpg("--passphrase", "", "--quick-generate-key", "Release <release@example>", "ed25519", "sign").status).toBe(
      0,
    );
    const program = signer(at, `exec gpg --homedir ${home} --batch --yes --armor --detach-sign "$1"`);
    const { status, stdout } = sign(["--key", key, "--folder", folder], { KEYBOUND_SIGN_SUMS: program });
    expect([status, stdout]).toEqual([0, expect.stringContaining("SHA256SUMS.asc")]);
    const sums = join(folder, "SHA256SUMS");
    expect(gpg("--verify", `${sums}.asc`, sums).status).toBe(0);
    writeFileSync(sums, `${readFileSync(sums, "utf8")} `);
    expect(gpg("--verify", `${sums}.asc`, sums).status).toBe(1);
  });

  it("is signed by minisign, and minisign takes it until it is changed", () => {
    const { at, folder, key } = scene();
    const [secret, open] = [join(at, "mini.key"), join(at, "mini.pub")];
    execFileSync("minisign", ["-G", "-W", "-s", secret, "-p", open], { stdio: "ignore" });
    const program = signer(at, `exec minisign -S -s ${secret} -m "$1"`);
    const { status, stdout } = sign(["--key", key, "--folder", folder], { KEYBOUND_SIGN_SUMS: program });
    expect([status, stdout]).toEqual([0, expect.stringContaining("SHA256SUMS.minisig")]);
    const sums = join(folder, "SHA256SUMS");
    const verify = () => spawnSync("minisign", ["-V", "-p", open, "-m", sums], { stdio: "ignore" }).status;
    expect(verify()).toBe(0);
    writeFileSync(sums, `${readFileSync(sums, "utf8")} `);
    expect(verify()).toBe(1);
  });

  it.each([
    ["leaves no signature", "true", /left neither/],
    ["changes the sums", 'echo >> "$1"; touch "$1.asc"', /changed/],
    ["fails", "exit 3", /sign-sums/],
  ])("is not called signed by a program that %s", (_what, line, words) => {
    const { at, folder, key } = scene();
    const { status, stderr } = sign(["--key", key, "--folder", folder], { KEYBOUND_SIGN_SUMS: signer(at, line) });
    expect([status, stderr]).toEqual([1, expect.stringMatching(words)]);
  });
});
