// The outer form of the macOS package by xar's own reader, the program of whom the form is. Debian 12 has none; Debian 13 has.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeMacosPackage } from "../../scripts/package/macos.ts";
import { readXar } from "../packaging/read-package.ts";
import { debianRoot } from "./root.ts";

const work = mkdtempSync(join(tmpdir(), "keybound-xar-"));
let root: string;
let made: string;

beforeAll(async () => {
  root = debianRoot({ suite: "trixie", more: "xar" });
  const options = { processor: "x64", version: "0.1.0", epochS: 1_790_000_000, folder: work } as const;
  [made = ""] = await makeMacosPackage(options);
  copyFileSync(made, join(work, "whole.pkg"));
  const damaged = readFileSync(made);
  // Within Payload, which is last but for Scripts' two kilobytes.
  damaged[damaged.length - 10_000] = (damaged.at(-10_000) ?? 0) ^ 1;
  writeFileSync(join(work, "damaged.pkg"), damaged);
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

/** In the Debian that has it, with the work folder as /mnt. */
function xar(...args: readonly string[]) {
  const mounts = 'mount --bind "$0" "$1/mnt"; root=$1; shift; exec chroot "$root" env -C /mnt xar "$@"';
  return spawnSync("unshare", ["-m", "sh", "-c", mounts, work, root, ...args], { encoding: "utf8" });
}

it("xar lists and unpacks it, every sum right, to what our own reader finds", () => {
  const listed = xar("-tf", "whole.pkg");
  const names = ["Bom", "PackageInfo", "Payload", "Scripts"].map((name) => `keybound-agent.pkg/${name}`);
  expect(listed.stdout.trim().split("\n").toSorted()).toEqual(["Distribution", "keybound-agent.pkg", ...names]);
  mkdirSync(join(work, "unpacked"), { recursive: true });
  expect(xar("-xf", "whole.pkg", "-C", "unpacked")).toMatchObject({ status: 0, stdout: "", stderr: "" });
  for (const [name, content] of readXar(readFileSync(made)))
    expect(readFileSync(join(work, "unpacked", name)).equals(content)).toBe(true);
});

it("xar notices a byte that is another", () => {
  mkdirSync(join(work, "refused"), { recursive: true });
  const { status, stdout } = xar("-xf", "damaged.pkg", "-C", "refused");
  expect([status, stdout]).toEqual([1, expect.stringContaining("(keybound-agent.pkg/Payload): archived-checksum")]);
});
