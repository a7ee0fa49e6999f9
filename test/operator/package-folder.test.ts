// `keybound package --for`: what lies in the folder, that its lines and files are what their tools can read, and what is refused.
import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readPackage } from "../../protocol/deployment.ts";
import type { Way } from "../../operator/deployment/way.ts";
import { expectDone, OperatorHouse } from "./house.ts";
import { releaseIn, sha256, writeSums } from "./release.ts";

type Answer = {
  readonly folder: string;
  readonly pin: string;
  readonly version: string;
  readonly files: readonly { readonly name: string; readonly size: number; readonly sha256: string }[];
  readonly ways: readonly Way[];
  readonly uses: number;
};

let house: OperatorHouse;
let release: string;
let all: Answer;
let said: string;

const DEB = "keybound-agent_0.1.0_amd64.deb";
const read = (name: string) => readFileSync(join(all.folder, name), "utf8");

async function make(name: string, over: readonly string[] = [], from = release) {
  const args = ["package", "--for", "all", "--out", house.path(name), "--release", from, ...over];
  return await house.unlocked(args);
}

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init());
  release = releaseIn(house.path("release"));
  const made = expectDone(
    await make("all", ["--group", "web", "--uses", "7", "--days", "3", "--from", "https://dl.example/kb/", "--json"]),
  );
  all = JSON.parse(made.stdout);
  said = made.stderr;
});

afterAll(() => house[Symbol.asyncDispose]());

describe("the folder", () => {
  test("has the release's installers byte for byte, and what its JSON says", () => {
    expect(readdirSync(all.folder).toSorted()).toEqual(all.files.map(({ name }) => name).toSorted());
    for (const { name, size, sha256: sum } of all.files)
      expect([statSync(join(all.folder, name)).size, sha256(join(all.folder, name))]).toEqual([size, sum]);
    const installers = readdirSync(release).filter((name) => name !== "SHA256SUMS");
    expect(installers.length).toBe(7);
    for (const name of installers) expect(sha256(join(all.folder, name))).toBe(sha256(join(release, name)));
  });

  test("is for its user alone", () => {
    expect(statSync(all.folder).mode & 0o777).toBe(0o700);
    for (const { name } of all.files) expect(statSync(join(all.folder, name)).mode & 0o077).toBe(0);
    expect(statSync(join(all.folder, "deployment.keybound")).mode & 0o777).toBe(0o600);
  });

  test("has the signed deployment of this organisation", () => {
    const { deployment } = readPackage(readFileSync(join(all.folder, "deployment.keybound")), () => undefined);
    expect(deployment).toMatchObject({ groups: ["web"], class: "standard" });
  });

  test("has an INSTALL.txt with every line, the count, the date and the pin, and that the release is not signed", () => {
    const text = read("INSTALL.txt");
    for (const { lines } of all.ways) expect(text).toContain(lines.map((line) => `    ${line}\n`).join(""));
    expect(text).toContain(`pin ${all.pin}\n`);
    expect(text).toMatch(/up to 7 devices join until \d{4}-\d\d-\d\d/);
    expect([text.includes("the release is not signed"), said.includes("the release is not signed")]).toEqual([
      true,
      true,
    ]);
    expect(text).not.toContain("REBIND");
  });

  test("names in its lines no file that it does not have", () => {
    const named = all.ways.flatMap(({ lines, file = "INSTALL.txt" }) => [
      file,
      ...(lines.join("\n").match(/[\w.-]+\.(?:deb|rpm|msi|pkg|keybound|yml|yaml|cmd|sh)\b/g) ?? []),
    ]);
    const there = readdirSync(all.folder);
    expect(named.filter((name) => !there.includes(name) && name !== "SetupComplete.cmd")).toEqual([]);
  });
});

describe("what is pasted or handed on", () => {
  test("is a line of sh, where it is for sh", () => {
    const lines = all.ways.filter(({ shell }) => shell === "sh").map((way) => way.lines.join("\n"));
    expect(lines.length).toBeGreaterThan(10);
    for (const line of [...lines, read("macos-before.sh")])
      expect(spawnSync("sh", ["-n"], { input: line }).status).toBe(0);
  });

  test("binds by files that hold the deployment and the pin, as YAML has them", () => {
    for (const name of ["cloud-init-deb.yaml", "cloud-init-rpm.yaml"]) {
      const {
        write_files: [deployment, trust],
        runcmd,
      } = parse(read(name));
      expect(
        Buffer.from(deployment.content, "base64").equals(readFileSync(join(all.folder, "deployment.keybound"))),
      ).toBe(true);
      expect([deployment.permissions, trust.permissions, trust.content]).toEqual(["0600", "0600", `${all.pin}\n`]);
      const [[sh, flag, script]] = runcmd;
      expect([sh, flag, spawnSync("sh", ["-n"], { input: script }).status]).toEqual(["sh", "-c", 0]);
    }
    expect(read("cloud-init-deb.yaml")).toContain(`file=${DEB} sum=${sha256(join(release, DEB))}`);
  });

  test("a macOS script carries the deployment unchanged", () => {
    const [, inside = ""] = /<<'END'\n([^]*?)\nEND\n/.exec(read("macos-before.sh")) ?? [];
    const decoded = execFileSync("openssl", ["base64", "-d"], { input: `${inside}\n` });
    expect(decoded.equals(readFileSync(join(all.folder, "deployment.keybound")))).toBe(true);
  });

  test("a playbook installs one file for each kind of package and processor", () => {
    const [play] = parse(read("ansible.yml"));
    expect(play.vars.keybound_files).toEqual({
      deb: { x86_64: DEB, aarch64: "keybound-agent_0.1.0_arm64.deb" },
      rpm: { x86_64: "keybound-agent-0.1.0-1.x86_64.rpm", aarch64: "keybound-agent-0.1.0-1.aarch64.rpm" },
    });
    expect(play.vars.keybound_pin).toBe(all.pin);
  });

  test("an image's folder on Windows is closed to users before the token is in it", () => {
    const { lines = [] } = all.ways.find(({ system, tool }) => system === "windows" && tool === "golden-image") ?? {};
    const at = (begin: string) => lines.findIndex((line) => line.startsWith(begin));
    expect(at("mkdir ")).toBeGreaterThan(0);
    expect([at("icacls ") - at("mkdir "), at("icacls ") < at("copy /b deployment.keybound ")]).toEqual([1, true]);
  });

  test("a batch file has Windows' line ends and jumps to labels that it has", () => {
    const lines = read("install.cmd").split("\r\n");
    expect(lines.join("")).not.toMatch(/[\r\n]/);
    const labels = lines.filter((line) => line.startsWith(":"));
    const jumps = lines.flatMap((line) => /goto (\w+)$/.exec(line)?.[1] ?? []);
    expect(jumps.filter((label) => !labels.includes(`:${label}`))).toEqual([]);
  });
});

test("one system's folder has that system's installers alone", async () => {
  const args = ["package", "--for", "linux-deb", "--out", house.path("deb"), "--release", release];
  const { stdout } = expectDone(await house.unlocked(args));
  expect(readdirSync(house.path("deb")).toSorted()).toEqual(
    [
      "INSTALL.txt",
      "ansible.yml",
      "cloud-init-deb.yaml",
      "deployment.keybound",
      DEB,
      "keybound-agent_0.1.0_arm64.deb",
    ].toSorted(),
  );
  expect(stdout).toContain(`KEYBOUND_TRUST=${all.pin} dpkg -i ./${DEB}`);
});

test("lines that take devices from another owner come only when asked for, with a warning", async () => {
  const { stdout, stderr } = expectDone(await make("rebind", ["--rebind"]));
  expect(stderr).toContain("WARNING: these lines take a device away");
  expect([
    stdout.includes("KEYBOUND_REBIND=yes dpkg"),
    stdout.includes(" REBIND=1"),
    readFileSync(house.path("rebind/macos-before.sh"), "utf8").includes(": > /etc/keybound/rebind\n"),
    readFileSync(join(all.folder, "macos-before.sh"), "utf8").includes("rebind"),
  ]).toEqual([true, true, true, false]);
  expect(readFileSync(house.path("rebind/INSTALL.txt"), "utf8")).toContain("WARNING: these lines take a device away");
});

function dropLine(folder: string): void {
  const path = join(folder, "SHA256SUMS");
  writeFileSync(path, readFileSync(path, "utf8").replace(new RegExp(`^.*  ${DEB}\n`, "m"), ""));
}

function linked(folder: string, name: string): void {
  renameSync(join(folder, name), join(folder, "elsewhere"));
  symlinkSync("elsewhere", join(folder, name));
}

describe("nothing is signed or written for a release", () => {
  const DAMAGE: readonly [string, string, (folder: string) => void][] = [
    ["whose installer was changed", "release-changed", (folder) => appendFileSync(join(folder, DEB), "x")],
    ["whose installer was cut off", "release-changed", (folder) => truncateSync(join(folder, DEB), 3)],
    ["that lacks an installer", "release-missing", (folder) => rmSync(join(folder, DEB))],
    ["without SHA256SUMS", "release-sums", (folder) => rmSync(join(folder, "SHA256SUMS"))],
    ["whose SHA256SUMS lacks an installer", "release-sums", (folder) => dropLine(folder)],
    [
      "whose SHA256SUMS names an installer twice",
      "release-sums",
      (folder) => appendFileSync(join(folder, "SHA256SUMS"), readFileSync(join(folder, "SHA256SUMS"))),
    ],
    ["with a link for an installer", "release-odd", (folder) => linked(folder, DEB)],
    ["with a link for SHA256SUMS", "release-odd", (folder) => linked(folder, "SHA256SUMS")],
    [
      "with two versions",
      "release-mixed",
      (folder) => {
        writeFileSync(join(folder, "keybound-agent_0.2.0_amd64.deb"), "newer");
        writeSums(folder);
      },
    ],
    ["that is not there", "release-missing", (folder) => rmSync(folder, { recursive: true })],
  ];

  test.each(DAMAGE)("%s", async (title, code, damage) => {
    const folder = releaseIn(house.path(`release ${title}`));
    damage(folder);
    const { code: exit, stderr } = await make("refused", [], folder);
    expect([exit, stderr]).toEqual([1, expect.stringContaining(`keybound: ${code}: `)]);
    expect(stderr).toContain("hint: ");
    expect(readdirSync(house.folder).filter((name) => name.startsWith("refused"))).toEqual([]);
  });
});

test("a folder that is there is left alone, and so is all where the passphrase is wrong", async () => {
  const { code, stderr } = await make("all");
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: file-exists: ")]);
  writeFileSync(house.path("wrong"), "not the passphrase\n");
  const args = ["package", "--for", "all", "--out", house.path("never"), "--release", release, "--passphrase-file"];
  expect((await house.run([...args, house.path("wrong")])).code).toBe(1);
  expect(readdirSync(house.folder).filter((name) => name.startsWith("never"))).toEqual([]);
});

test.each([
  ["without --out", ["--for", "all"]],
  ["with --force", ["--for", "all", "--out", "x", "--force"]],
  ["with a --from that a shell would read", ["--for", "all", "--out", "x", "--from", "https://a/$(id)"]],
  ["with a --from of a port that there is not", ["--for", "all", "--out", "x", "--from", "https://a:99999/b"]],
])("is misused %s", async (_title, args) => {
  expect((await house.unlocked(["package", "--release", release, ...args])).code).toBe(2);
});
