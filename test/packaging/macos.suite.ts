// The macOS packages as they ship, made twice and read by other people's programs. Installs those where they are missing, so needs root.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { locked } from "../../scripts/package/lockfile.ts";
import { MACOS, makeMacosPackage } from "../../scripts/package/macos.ts";
import { bringRuntime } from "../../scripts/package/runtime.ts";
import { needTools } from "../../scripts/package/tools.ts";
import { readBom, readCpio, readXar } from "./read-package.ts";

const ROOT = join(import.meta.dirname, "../..");
const EPOCH_S = 1_790_000_000;
const folder = mkdtempSync(join(tmpdir(), "keybound-macos-"));
const builds = [join(folder, "first"), join(folder, "second")] as const;
const processors = ["x64", "arm64"] as const;
const NODE = "usr/local/libexec/keybound-agent/node";

beforeAll(async () => {
  needTools({
    "7z": "p7zip-full",
    bsdtar: "libarchive-tools",
    cpio: "cpio",
    plistutil: "libplist-utils",
    shellcheck: "shellcheck",
    xmllint: "libxml2-utils",
  });
  for (const build of builds)
    for (const processor of processors)
      await makeMacosPackage({ processor, version: "0.1.0", epochS: EPOCH_S, folder: build });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
const sums = (build: string) => readdirSync(build).map((name) => `${name} ${sha256(readFileSync(join(build, name)))}`);
const packageOf = (processor: string) => join(builds[0], `keybound-agent-0.1.0-macos-${processor}.pkg`);

it("two builds make the same bytes", () => {
  expect(sums(builds[0])).toHaveLength(4);
  expect(sums(builds[1])).toEqual(sums(builds[0]));
});

describe.each(processors)("for %s", (processor) => {
  const unpacked = join(folder, `unpacked-${processor}`);
  const payload = join(unpacked, "payload");

  /** By bsdtar and cpio, not by a reader of ours. */
  beforeAll(() => {
    mkdirSync(payload, { recursive: true });
    execFileSync("bsdtar", ["-xf", packageOf(processor), "-C", unpacked]);
    for (const [part, to] of [
      ["Payload", payload],
      ["Scripts", unpacked],
    ] as const)
      execFileSync("sh", ["-c", 'gzip -dc "$0" | cpio -idm --quiet', join(unpacked, "keybound-agent.pkg", part)], {
        cwd: to,
      });
  });

  it("7z finds it whole", () => {
    expect(execFileSync("7z", ["t", packageOf(processor)], { encoding: "utf8" })).toContain("Everything is Ok");
  });

  it("the Node in it is the one that the lockfile pins, byte for byte, so that its signature holds", () => {
    const { node } = bringRuntime(MACOS[processor].runtime, join(folder, `runtime-${processor}`));
    expect(sha256(readFileSync(join(payload, NODE)))).toBe(sha256(readFileSync(node)));
  });

  it("cpio lists what the Bom does, with cksum's sums", () => {
    const files = readXar(readFileSync(packageOf(processor)));
    const paths = readCpio(files.get("keybound-agent.pkg/Payload") ?? Buffer.alloc(0)).map(({ path }) => path);
    const listed = execFileSync(
      "sh",
      ["-c", 'gzip -dc "$0" | cpio -it --quiet', join(unpacked, "keybound-agent.pkg/Payload")],
      {
        encoding: "utf8",
      },
    );
    expect(listed.trim().split("\n")).toEqual(paths);
    const inBom = readBom(files.get("keybound-agent.pkg/Bom") ?? Buffer.alloc(0));
    const lines = inBom.flatMap(({ path, size, checksum, mode }) =>
      (mode & 0o170000) === 0o100000 ? [`${checksum} ${size} ${path}`] : [],
    );
    const names = lines.map((line) => line.split(" ").slice(2).join(" "));
    expect(execFileSync("cksum", names, { cwd: payload, encoding: "utf8" }).trim().split("\n")).toEqual(lines);
  });

  it("xmllint and plistutil read its XML", () => {
    const plist = join(payload, "Library/LaunchDaemons/io.keybound.agent.plist");
    const documents = [join(unpacked, "Distribution"), join(unpacked, "keybound-agent.pkg/PackageInfo"), plist];
    execFileSync("xmllint", ["--noout", "--nonet", ...documents]);
    // plistutil ends with 0 whatever it thought of it.
    const { stdout, stderr } = spawnSync("plistutil", ["-i", plist, "-f", "xml"], { encoding: "utf8" });
    expect([stderr, stdout.includes("<key>KeepAlive</key>")]).toEqual(["", true]);
  });

  it("shellcheck has nothing to say of its scripts", () => {
    const program = join(payload, "usr/local/libexec/keybound-agent");
    const installed = [
      "keybound-agent",
      "keybound-agent-service",
      "start",
      "uninstall",
      "bind-at-install",
      "clean-environment",
    ];
    const scripts = [
      ...installed.map((name) => join(program, name)),
      join(unpacked, "preinstall"),
      join(unpacked, "postinstall"),
    ];
    const { stdout, stderr } = spawnSync("shellcheck", ["-s", "sh", "-x", ...scripts], { cwd: ROOT, encoding: "utf8" });
    expect(`${stdout}${stderr}`).toBe("");
  });

  it("the list of contents names Node and what is bundled, with the lockfile's hashes and the package's own", () => {
    const { metadata, components } = JSON.parse(readFileSync(`${packageOf(processor)}.cdx.json`, "utf8"));
    expect(metadata.component.hashes).toEqual([
      { alg: "SHA-256", content: sha256(readFileSync(packageOf(processor))) },
    ]);
    const { runtime } = MACOS[processor];
    const content = Buffer.from(locked(runtime).integrity.slice("sha512-".length), "base64").toString("hex");
    const named = components.map(({ name }: { name: string }) => name);
    expect(components).toContainEqual(
      expect.objectContaining({ name: runtime, hashes: [{ alg: "SHA-512", content }] }),
    );
    expect(named).toEqual(
      expect.arrayContaining(["ws", "pino", "systeminformation", "node-machine-id", "@noble/curves"]),
    );
  });
});

it("what signs a package does so before its list of contents is made", async () => {
  const signer = join(folder, "signer");
  writeFileSync(signer, '#!/bin/sh\nprintf signed >>"$1"\n');
  chmodSync(signer, 0o755);
  const sign = (file: string) => void execFileSync(signer, [file]);
  const to = join(folder, "signed");
  const [file = ""] = await makeMacosPackage({ processor: "x64", version: "0.1.0", epochS: EPOCH_S, folder: to, sign });
  const bytes = readFileSync(file);
  expect(bytes.subarray(-6).toString()).toBe("signed");
  expect(readFileSync(`${file}.cdx.json`, "utf8")).toContain(sha256(bytes));
});
