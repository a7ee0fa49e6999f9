// The client and the relay as one .exe each under Wine: the relay serves an agent of Linux, and the client makes an organisation at it.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeOneFiles } from "../../scripts/package/one-file.ts";
import { Program, until } from "../e2e/program.ts";
import { PASSPHRASE } from "../operator/house.ts";
import { needTools } from "../../scripts/package/tools.ts";
import { Wine, type WineProgram } from "./wine.ts";

const CLIENT = "C:\\keybound.exe";
const RELAY = "C:\\keybound-relay.exe";

let folder: string;
let wine: Wine;
const path = (name: string) => join(folder, name);

beforeAll(async () => {
  needTools({ osslsigncode: "osslsigncode" });
  folder = mkdtempSync(join(tmpdir(), "keybound-one-exe-"));
  await makeOneFiles({ version: "9.9.9", epochS: 1_790_000_000, folder, platforms: ["windows-x64.exe"] });
  wine = Wine.bare();
  copyFileSync(path("keybound-9.9.9-windows-x64.exe"), wine.path(CLIENT));
  copyFileSync(path("keybound-relay-9.9.9-windows-x64.exe"), wine.path(RELAY));
});

afterAll(() => {
  wine[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

const keybound = (...args: readonly string[]) => wine.start([CLIENT, ...args], { KEYBOUND_HOME: "C:\\home" });

/** What it said, once it has ended well. */
async function done(program: WineProgram): Promise<string> {
  const code = await program.ended();
  if (code !== 0) throw new Error(`ended with ${code}: ${program.said}`);
  return program.said;
}

describe("the programs of one file under Wine", () => {
  it("start, and say nothing but their version, whatever NODE_OPTIONS is", async () => {
    for (const program of [CLIENT, RELAY]) {
      const version = wine.start([program, "--version"], { NODE_OPTIONS: "--no-such-option" });
      expect((await done(version)).replaceAll("\r", "")).toBe("0.1.0\n");
    }
  });

  it("make an organisation and a package, and bring an agent of Linux online and a job to it", async () => {
    const relay = wine.start([RELAY, "serve", "--state", "C:\\relay", "--listen", "127.0.0.1:0"]);
    await until(
      () => /claim code: \S+/.test(relay.said),
      "a relay that serves",
      () => relay.said,
    );
    const [, url = ""] = /listening on (\S+)/.exec(relay.said) ?? [];
    const [, claim = ""] = /claim code: ([0-9A-Z-]+)/.exec(relay.said) ?? [];
    writeFileSync(wine.path("C:\\passphrase"), `${PASSPHRASE}\n`);
    const passphrase = ["--passphrase-file", "C:\\passphrase"];
    const organisation = ["--relay", url, "--claim", claim, "--org", "Acme", "--name", "Ada"];
    await done(keybound("init", ...organisation, "--acknowledge", "--no-recovery-file", ...passphrase));
    const packed = await done(keybound("package", "--out", "C:\\acme.keybound", "--json", ...passphrase));
    const { pin }: { pin: string } = JSON.parse(/^\{.*\}/ms.exec(packed)?.[0] ?? "");
    const verified = await done(keybound("verify", "C:\\acme.keybound"));
    expect(verified).toContain("Acme");

    const bind = ["bind", wine.path("C:\\acme.keybound"), "--trust", pin, "--state", path("device")];
    await new Program("agent", bind, {}).done();
    const agent = new Program("agent", ["run", "--state", path("device")], {});
    try {
      await agent.says(/"connected"/);
      expect(await done(keybound("run", "--all", ...passphrase, "--", "echo it-ran"))).toContain("it-ran");
    } finally {
      await agent.end();
    }
  });
});
