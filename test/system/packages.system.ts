// What the Linux packages are, apart from any machine: the same bytes twice, the pinned Node, and everything inside accounted for.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LINUX, makeLinuxPackages } from "../../scripts/package/linux.ts";
import { locked } from "../../scripts/package/lockfile.ts";
import { bringRuntime } from "../../scripts/package/runtime.ts";
import { installTools } from "./tools.ts";

const folder = mkdtempSync(join(tmpdir(), "keybound-twice-"));
const builds = [join(folder, "first"), join(folder, "second")] as const;
const EPOCH_S = 1_790_000_000;
const processors = ["x64", "arm64"] as const;

beforeAll(async () => {
  installTools();
  for (const build of builds) {
    for (const processor of processors)
      await makeLinuxPackages({ processor, version: "0.1.0", epochS: EPOCH_S, folder: build });
    becomeAnother();
  }
});

/** Somebody with other habits, whose files and macros the packages have nothing of. */
function becomeAnother(): void {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, ".rpmmacros"), "%packager somebody\n%vendor else\n");
  process.env["HOME"] = home;
  process.env["TZ"] = "Asia/Tokyo";
  process.umask(0o077);
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hashesIn(build: string): readonly string[] {
  const hash = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(build, name)))
      .digest("hex");
  return readdirSync(build)
    .toSorted()
    .map((name) => `${hash(name)} ${name}`);
}

it("two builds make the same bytes, whoever makes them", () => {
  expect(hashesIn(builds[0])).toHaveLength(8);
  expect(hashesIn(builds[1])).toEqual(hashesIn(builds[0]));
});

describe.each(processors)("for %s", (processor) => {
  const { deb, rpm, runtime } = LINUX[processor];
  const debFile = join(builds[0], `keybound-agent_0.1.0_${deb}.deb`);

  it("the .deb has the Node that the lockfile pins, byte for byte", () => {
    const unpacked = join(folder, `deb-${deb}`);
    execFileSync("dpkg-deb", ["-x", debFile, unpacked]);
    const { node } = bringRuntime(runtime, join(folder, `runtime-${deb}`));
    expect(readFileSync(join(unpacked, "usr/libexec/keybound-agent/node")).equals(readFileSync(node))).toBe(true);
  });

  it("all in the .deb is root's, and no file can be written by others", () => {
    const lines = execFileSync("dpkg-deb", ["-c", debFile], { encoding: "utf8" }).trim().split("\n");
    expect(lines.filter((line) => !/^[d-]rw[x-]([r-]-[x-]){2} root\/root /.test(line))).toEqual([]);
  });

  it("both name the processor", () => {
    expect(execFileSync("dpkg-deb", ["-f", debFile, "Architecture"], { encoding: "utf8" })).toBe(`${deb}\n`);
    const rpmFile = join(builds[0], `keybound-agent-0.1.0-1.${rpm}.rpm`);
    expect(execFileSync("rpm", ["-qp", "--qf", "%{ARCH}", rpmFile], { encoding: "utf8" })).toBe(rpm);
  });

  it("the list of contents names Node and each package that is bundled, with the lockfile's hashes", () => {
    const { components } = JSON.parse(readFileSync(`${debFile}.cdx.json`, "utf8"));
    const { integrity } = locked(runtime);
    const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
    expect(components).toContainEqual(
      expect.objectContaining({ name: runtime, hashes: [{ alg: "SHA-512", content }] }),
    );
    expect(components.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(["ws", "pino", "systeminformation", "node-machine-id", "@noble/curves"]),
    );
  });
});
