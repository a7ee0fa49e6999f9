// The Windows installer: its tables as msiinfo reads them, then installed, bound, upgraded and removed by Wine's msiexec, with a
// real relay. docs/windows.md says what Wine does not show.
import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import { buildMsi } from "../../scripts/windows-msi.ts";
import type { Device } from "../cast/device.ts";
import type { Tenant } from "../cast/tenant.ts";
import { Desk, Estate } from "../e2e/estate.ts";
import { until } from "../e2e/program.ts";
import { AGENT_WORDS, installPackage, PROGRAMS, STATE, Wine, type WineProgram } from "./wine.ts";

const SERVICE = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\KeyboundAgent";
/** Node ends at once with such an option. */
const ORDERS = { NODE_OPTIONS: "--no-such-option" };
const DATA = "C:\\ProgramData\\Keybound";

let folder: string;
let older: string;
let newer: string;

beforeAll(async () => {
  for (const program of ["wixl", "msibuild"]) installPackage(program, ["wixl", "msitools"]);
  installPackage("x86_64-w64-mingw32-gcc", ["gcc-mingw-w64-x86-64-win32"]);
  installPackage("osslsigncode", ["osslsigncode"]);
  folder = mkdtempSync(join(tmpdir(), "keybound-msi-suite-"));
  older = join(folder, "older.msi");
  newer = join(folder, "newer.msi");
  await buildMsi({ version: "1.0.0", file: older });
  await buildMsi({ version: "1.0.1", file: newer });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The rows of a table, each by the names of its columns. */
function rows(file: string, table: string): readonly Readonly<Record<string, string>>[] {
  const text = execFileSync("msiinfo", ["export", file, table], { encoding: "utf8" });
  const [names = [], , , ...values] = text.split(/\r?\n/).map((line) => line.split("\t"));
  return values
    .filter((row) => row.length === names.length)
    .map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? ""])));
}

const summary = (file: string) => execFileSync("msiinfo", ["suminfo", file], { encoding: "utf8" });

const properties = (file: string) =>
  Object.fromEntries(rows(file, "Property").map((row) => [row["Property"], row["Value"]]));

describe("the installer's tables", () => {
  it("are the same bytes when it is made again", async () => {
    const again = join(folder, "again.msi");
    await buildMsi({ version: "1.0.0", file: again });
    expect(readFileSync(again).equals(readFileSync(older))).toBe(true);
  });

  it("and our programs can be signed by a publisher", async () => {
    const signed = join(folder, "signed.msi");
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test publisher", "-days", "2"];
    const extensions = ["-addext", "extendedKeyUsage=codeSigning", "-keyout", key, "-out", certificate];
    execFileSync("openssl", [...request, ...extensions], { stdio: "ignore" });
    const signing = ["sign", "-certs", certificate, "-key", key, "-h", "sha256"];
    const sign = (file: string) => {
      execFileSync("osslsigncode", [...signing, "-in", file, "-out", `${file}.signed`], { stdio: "ignore" });
      renameSync(`${file}.signed`, file);
    };
    await buildMsi({ version: "1.0.0", file: signed, sign });
    execFileSync("msiextract", ["-C", join(folder, "signed"), signed], { stdio: "ignore" });
    const programs = globSync(join(folder, "signed/**/keybound-*.exe"));
    expect(programs.length).toBe(2);
    for (const file of [signed, ...programs]) {
      const said = execFileSync("osslsigncode", ["verify", "-CAfile", certificate, "-in", file], { encoding: "utf8" });
      expect(said).toMatch(/^Signature verification: ok$/m);
    }
  });

  it("have one product per version, of one family", () => {
    const [before, after] = [properties(older), properties(newer)];
    expect(before["UpgradeCode"]).toBe(after["UpgradeCode"]);
    expect(before["ProductCode"]).not.toBe(after["ProductCode"]);
    expect([before["ProductVersion"], before["ALLUSERS"]]).toEqual(["1.0.0", "1"]);
  });

  it("let nobody but an administrator say what the device is bound to", () => {
    expect(properties(older)["SecureCustomProperties"]).toBe("WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED");
  });

  it("are of a 64-bit package whose code tells one content from another", () => {
    const code = (file: string) => /UUID\): (\{[0-9A-F-]{36}\})/.exec(summary(file))?.[1];
    expect(summary(older)).toMatch(/^Template: x64;1033$/m);
    expect(code(older)).not.toBe(code(newer));
  });

  it("install the six programs and texts, and the service's", () => {
    const names = rows(older, "File").map(({ FileName }) => String(FileName).replace(/^.*\|/, ""));
    expect(names.toSorted()).toEqual([
      "LICENSE.txt",
      "THIRD-PARTY.txt",
      "keybound-agent-inventory.cjs",
      "keybound-agent.cjs",
      "keybound-job-launcher.exe",
      "keybound-service.exe",
      "node.exe",
    ]);
  });

  it("start the service at boot, as SYSTEM, in a process of its own, or the installation fails", () => {
    const VITAL = 0x8000;
    expect(rows(older, "ServiceInstall")).toMatchObject([
      {
        Name: "KeyboundAgent",
        ServiceType: "16",
        StartType: "2",
        ErrorControl: String(VITAL + 1),
        StartName: "",
        Arguments: "",
      },
    ]);
  });

  it("stop it before, start it after, and delete it when all is removed", () => {
    const [START, STOP, STOP_AT_REMOVAL, DELETE_AT_REMOVAL] = [0x1, 0x2, 0x20, 0x80];
    expect(rows(older, "ServiceControl")).toMatchObject([
      { Name: "KeyboundAgent", Event: String(START | STOP | STOP_AT_REMOVAL | DELETE_AT_REMOVAL), Wait: "1" },
    ]);
  });

  it("run what is ours as SYSTEM, out of the folder of the programs, and mind its exit code", () => {
    const [PROGRAM_OF_OURS, IN_SCRIPT, AS_SYSTEM] = [18, 0x400, 0x800];
    const actions = rows(older, "CustomAction");
    expect(actions.map(({ Action }) => String(Action)).toSorted()).toEqual(["Bind", "BindBeside", "Purge", "Settle"]);
    for (const { Type, Source } of actions)
      expect([Type, Source]).toEqual([String(PROGRAM_OF_OURS | IN_SCRIPT | AS_SYSTEM), "ServiceExe"]);
  });

  it("put each action where it can do its work", () => {
    const order = new Map(rows(older, "InstallExecuteSequence").map((row) => [row["Action"], Number(row["Sequence"])]));
    const wanted = [
      ["InstallInitialize", "RemoveExistingProducts", "StopServices", "DeleteServices", "Purge", "RemoveFiles"],
      ["InstallFiles", "InstallServices", "Settle", "Bind", "BindBeside", "StartServices", "InstallFinalize"],
    ].flat();
    const at = wanted.map((action) => order.get(action) ?? NaN);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
  });

  it("purge only when that was asked for, and never in an upgrade", () => {
    const purge = rows(older, "InstallExecuteSequence").find(({ Action }) => Action === "Purge");
    expect(purge?.["Condition"]).toBe('REMOVE="ALL" AND PURGE="1" AND NOT UPGRADINGPRODUCTCODE');
  });
});

describe("installed by Wine", () => {
  let wine: Wine;
  let estate: Estate;
  let tenant: Tenant;
  let desk: Desk;
  let device: Device;
  let pack: string;
  let keeper: WineProgram;

  beforeAll(async () => {
    wine = Wine.bare();
    // Wine ends its services when no program is left but them. It keeps no Event Log, and says what would be in it.
    keeper = wine.start(["ping", "-n", "36000", "127.0.0.1"], { WINEDEBUG: "-all,+eventlog" });
    estate = await Estate.open();
    tenant = await estate.found("Acme");
    desk = await Desk.open(estate, tenant);
    pack = estate.package(tenant);
  });

  afterAll(async () => {
    wine?.[Symbol.dispose]();
    await desk?.[Symbol.asyncDispose]();
    await estate?.[Symbol.asyncDispose]();
  });

  async function run(...words: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
    const program: WineProgram = wine.start(words);
    const code = await program.ended();
    return { code, said: program.said };
  }

  /** The exit code as Linux has it, which keeps eight bits of Windows' number. */
  async function msiexec(what: "/i" | "/x", file: string, ...over: readonly string[]): Promise<number | null> {
    return (await run("msiexec", what, Wine.ofLinux(file), "/qn", ...over)).code;
  }
  const REFUSED = 1603 & 0xff;
  // Wine says 1627 (the function failed) where Windows says 1603.
  const ACTION_FAILED = 1627 & 0xff;

  const deployment = (file = pack, pin = pinOf(tenant.id)) => [`DEPLOYMENT=${Wine.ofLinux(file)}`, `TRUST=${pin}`];
  const agents = () => wine.processesWith("--until-input-ends");
  const hosts = () => wine.processesWith("keybound-service.exe");
  const isRunning = async () => await until(() => agents().length === 1, "one agent");
  const isStopped = async () => await until(() => agents().length + hosts().length === 0, "no agent and no host");
  const record = () => readFileSync(wine.path(`${DATA}\\install.log`), "utf8");

  async function said(command: string): Promise<string> {
    const receipt = await desk.receipt(
      device,
      await desk.send(device, "", { body: { shell: "cmd", source: command } }),
    );
    expect(receipt.outcome).toEqual({ type: "exited", code: 0 });
    const [stdout] = receipt.result === undefined ? [] : await desk.output(device, receipt);
    return Buffer.from(stdout?.head ?? []).toString("utf8");
  }

  async function journal(): Promise<readonly string[]> {
    return (await run(...AGENT_WORDS, "journal", "--json", "--state", STATE)).said.trim().split("\n");
  }

  it("takes over no state folder that a stranger has made", async () => {
    mkdirSync(wine.path(STATE), { recursive: true });
    chownSync(wine.path(STATE), 1000, 1000);
    expect(await msiexec("/i", older, ...deployment())).toBe(ACTION_FAILED);
    expect(existsSync(wine.path(`${DATA}\\install.log`))).toBe(false);
    rmSync(wine.path(DATA), { recursive: true });
  });

  it("refuses a package under another pin, tells why, and takes back what was installed", async () => {
    const pin = "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA";
    expect(await msiexec("/i", older, ...deployment(pack, pin))).toBe(ACTION_FAILED);
    expect(record()).toMatch(/package-trust[^]*exit code 1/);
    expect((await run("reg", "query", SERVICE)).code).not.toBe(0);
    expect(existsSync(wine.path(`${PROGRAMS}\\node.exe`))).toBe(false);
  });

  it("binds and enrols in one silent line", async () => {
    expect(await msiexec("/i", older, ...deployment())).toBe(0);
    device = await desk.device();
    expect(record()).toMatch(/bound to Acme \(epoch 1\)\r?\nkeybound-agent bind: exit code 0\r\n$/);
  });

  it("runs a job of cmd as the service", async () => {
    expect(await said("echo out\n")).toBe("out\r\n");
  });

  it("has a service that starts at boot from a quoted path, with time for its jobs at shutdown", async () => {
    const { said: text } = await run("reg", "query", SERVICE);
    expect(text).toMatch(/Start\s+REG_DWORD\s+0x2\b/);
    expect(text).toMatch(/ObjectName\s+REG_SZ\s+LocalSystem\b/);
    expect(text).toContain(`    "${PROGRAMS}\\keybound-service.exe"\r\n`);
    expect(text).toMatch(/PreshutdownTimeout\s+REG_DWORD\s+0x88b8\b/);
  });

  it("writes the agent's lines into the Event Log, under a source that knows their text", async () => {
    await keeper.says(/ReportEventW .*\\"connected\\"/);
    const source = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\Keybound";
    expect((await run("reg", "query", source)).said).toContain(`${PROGRAMS}\\keybound-service.exe`);
  });

  it("starts an agent again that was killed", async () => {
    const [before] = agents();
    process.kill(before ?? NaN, "SIGKILL");
    await until(() => agents().length === 1 && agents()[0] !== before, "another agent");
    expect(await said("echo again\n")).toBe("again\r\n");
  });

  it("stops the agent in an orderly way", async () => {
    await isRunning();
    expect((await run("net", "stop", "KeyboundAgent")).code).toBe(0);
    await isStopped();
    expect((await journal()).at(-1)).toContain("stopped");
    expect(keeper.said).toMatch(/ReportEventW .*\\"stopped\\"/);
  });

  it("ends what a job still runs when it is stopped, and leaves what a job left behind on purpose", async () => {
    await run("net", "start", "KeyboundAgent");
    await isRunning();
    const [left, running] = ["-n 7770001", "-n 7770002"];
    const leaving = { source: `start /b ping ${left} 127.0.0.1\nexit 0\n`, leave: true };
    const leaver = await desk.send(device, "", { body: { shell: "cmd", ...leaving } });
    expect((await desk.receipt(device, leaver)).contained).toBe("left");
    const job = await desk.send(device, "", { body: { shell: "cmd", source: `ping ${running} 127.0.0.1\n` } });
    await until(() => wine.processesWith(running).length > 0, "a job that runs");
    expect((await run("net", "stop", "KeyboundAgent")).code).toBe(0);
    expect((await desk.receipt(device, job)).outcome).toEqual({ type: "cancelled", by: "agent-stop" });
    await isStopped();
    expect([wine.processesWith(running).length, wine.processesWith(left).length > 0]).toEqual([0, true]);
    for (const pid of wine.processesWith(left)) process.kill(pid, "SIGKILL");
  });

  it("starts again", async () => {
    expect((await run("net", "start", "KeyboundAgent")).code).toBe(0);
    expect(await said("echo started\n")).toBe("started\r\n");
  });

  it("takes no orders from the environment", async () => {
    const words = [`${PROGRAMS}\\keybound-service.exe`, "bind", Wine.ofLinux(pack), pinOf(tenant.id), ""];
    expect(await wine.start(words, ORDERS).ended()).toBe(0);
    const plainly = wine.start([...AGENT_WORDS, "--version"], ORDERS);
    expect(await plainly.ended()).not.toBe(0);
    expect(plainly.said).toContain("--no-such-option");
  });

  it("ends the agent with a host that was killed", async () => {
    await isRunning();
    for (const pid of hosts()) process.kill(pid, "SIGKILL");
    await isStopped();
    expect((await run("net", "start", "KeyboundAgent")).code).toBe(0);
    expect(await said("echo back\n")).toBe("back\r\n");
  });

  it("takes the same package again while it runs, and stays the same device", async () => {
    expect(await msiexec("/i", older, ...deployment())).toBe(0);
    expect(record()).toMatch(/still bound to Acme \(epoch 1\); the package has nothing newer\r?\n.*exit code 0\r\n$/);
    expect(await said("echo same\n")).toBe("same\r\n");
  });

  it("is upgraded in place as the same device", async () => {
    expect(await msiexec("/i", newer)).toBe(0);
    await isRunning();
    expect(await said("echo newer\n")).toBe("newer\r\n");
    expect(await versions()).toEqual(["1.0.1"]);
  });

  it("refuses an older version, and goes on running", async () => {
    expect(await msiexec("/i", older)).toBe(REFUSED);
    expect(await said("echo still\n")).toBe("still\r\n");
    expect(await versions()).toEqual(["1.0.1"]);
  });

  it("is repaired where a file is gone", async () => {
    const bundle = wine.path(`${PROGRAMS}\\keybound-agent-inventory.cjs`);
    rmSync(bundle);
    expect(await msiexec("/i", newer, "REINSTALL=ALL", "REINSTALLMODE=amus")).toBe(0);
    expect(existsSync(bundle)).toBe(true);
    expect(await said("echo repaired\n")).toBe("repaired\r\n");
  });

  it("keeps what it knows when it is removed", async () => {
    expect(await msiexec("/x", newer)).toBe(0);
    await isStopped();
    expect((await run("reg", "query", SERVICE)).code).not.toBe(0);
    expect(statSync(wine.path(STATE)).isDirectory()).toBe(true);
  });

  it("is the same device when it is installed again", async () => {
    expect(await msiexec("/i", newer)).toBe(0);
    expect(await said("echo kept\n")).toBe("kept\r\n");
  });

  it("leaves nothing of its state with PURGE=1", async () => {
    expect(await msiexec("/x", newer, "PURGE=1")).toBe(0);
    await isStopped();
    expect(existsSync(wine.path(DATA))).toBe(false);
  });

  it("takes no file beside the installer for a deployment without a pin on the command line", async () => {
    writeFileSync(join(folder, "deployment.keybound"), readFileSync(estate.package(tenant)));
    expect(await msiexec("/i", newer)).toBe(0);
    expect(existsSync(wine.path(`${DATA}\\install.log`))).toBe(false);
    expect(await msiexec("/x", newer, "PURGE=1")).toBe(0);
    await isStopped();
  });

  it("takes it with the pin", async () => {
    expect(await msiexec("/i", newer, `TRUST=${pinOf(tenant.id)}`)).toBe(0);
    const other = await desk.device([device]);
    expect(other.id).not.toBe(device.id);
  });

  async function versions(): Promise<readonly string[]> {
    const { said: text } = await run(
      "reg",
      "query",
      "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall",
      "/s",
    );
    return [...text.matchAll(/DisplayVersion\s+REG_SZ\s+(\S+)/g)].map(([, version]) => String(version));
  }
});
