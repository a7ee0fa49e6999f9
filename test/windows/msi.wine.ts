// The Windows installer, installed, bound, upgraded and removed by Wine's msiexec, with a
// real relay. docs/windows.md says what Wine does not show.
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyJournal } from "../../agent/state/journal.ts";
import { isBound } from "../../agent/binding/owner.ts";
import { State } from "../../agent/state/state.ts";
import { readBindingReport } from "../../protocol/binding-report.ts";
import { pinOf } from "../../protocol/pin.ts";
import { raw } from "../cast/person.ts";
import type { Device } from "../cast/device.ts";
import type { Tenant } from "../cast/tenant.ts";
import { Desk, Estate } from "../e2e/estate.ts";
import { until } from "../e2e/program.ts";
import { type Installers, makeInstallers } from "./installers.ts";
import { AGENT_WORDS, PROGRAMS, STATE, Wine, type WineProgram } from "./wine.ts";

const SERVICE = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\KeyboundAgent";
/** Node ends at once with such an option. */
const ORDERS = { NODE_OPTIONS: "--no-such-option" };
const DATA = "C:\\ProgramData\\Keybound";

let folder: string;
let older: string;
let newer: string;
let made: Installers;

beforeAll(async () => {
  made = await makeInstallers();
  ({ folder, older, newer } = made);
});

afterAll(() => made?.[Symbol.dispose]());

describe("installed by Wine", () => {
  let wine: Wine;
  let estate: Estate;
  let tenant: Tenant;
  let desk: Desk;
  let device: Device;
  /** Those of before: each installation that is bound after a goodbye is another device. */
  const former: Device[] = [];
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
  /**
   * Installs over another version. Windows says UPGRADINGPRODUCTCODE to the version that it removes meanwhile, and Wine has no such
   * word: here it stands in that one's own package, which Wine has kept.
   */
  async function replace(file: string, ...over: readonly string[]): Promise<number | null> {
    const kept = globSync(join(wine.path("C:\\windows\\Installer"), "*.msi"));
    expect(kept).not.toEqual([]);
    const values = "('UPGRADINGPRODUCTCODE', '{B0D5A3F1-5B0C-4B4E-9C50-7F0F9B7B6A12}')";
    const query = `INSERT INTO \`Property\` (\`Property\`, \`Value\`) VALUES ${values}`;
    for (const installed of kept) execFileSync("msibuild", [installed, "-q", query]);
    const before = agents();
    const code = await msiexec("/i", file, ...over);
    // Wine's installer goes on while a service still stops: a job must not find the agent that is about to end.
    if (code === 0) await until(() => agents().length === 1 && !before.includes(agents()[0] ?? 0), "another agent");
    return code;
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

  async function another(): Promise<void> {
    former.push(device);
    device = await desk.device(former);
  }

  async function journal(): Promise<readonly string[]> {
    return (await run(...AGENT_WORDS, "journal", "--json", "--state", STATE)).said.trim().split("\n");
  }

  /** The devices that have said goodbye, each by its own signature. */
  async function leavers(known: readonly Device[]): Promise<readonly string[]> {
    const { parts } = await desk.client.request({ type: "list-devices" });
    return known.filter(({ signer }) => parts.some((part) => saysGoodbye(part, raw(signer)))).map(({ id }) => id);
  }

  function saysGoodbye(part: Uint8Array, sig: string): boolean {
    try {
      return readBindingReport(part, { sig, tenant: tenant.id }).left !== undefined;
    } catch {
      // An enrolment request, or another device's.
      return false;
    }
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
    expect(await replace(newer)).toBe(0);
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

  it("goes back to an older version with DOWNGRADE=1, as the same device and with every file", async () => {
    expect(await replace(older, "DOWNGRADE=1")).toBe(0);
    expect(await versions()).toEqual(["1.0.0"]);
    expect(readFileSync(wine.path(`${PROGRAMS}\\version`), "utf8")).toBe("1.0.0\n");
    expect(await said("echo older\n")).toBe("older\r\n");
    expect(await replace(newer)).toBe(0);
    expect(await said("echo newer\n")).toBe("newer\r\n");
  });

  it("has said goodbye at no upgrade, downgrade or repair", async () => {
    expect(await leavers([device])).toEqual([]);
    expect(record()).not.toContain("keybound-agent leave");
  });

  it("tells its owner when it is removed, and keeps the journal alone", async () => {
    expect(await msiexec("/x", newer)).toBe(0);
    await isStopped();
    expect((await run("reg", "query", SERVICE)).code).not.toBe(0);
    expect(record()).toMatch(/relay was told[^\r\n]*\r?\nkeybound-agent leave: exit code 0\r\n$/);
    expect(await leavers([device])).toEqual([device.id]);
    expect(readdirSync(wine.path(DATA)).toSorted()).toEqual(["install.log", "state"]);
    const files = readdirSync(wine.path(STATE)).filter((name) => !name.startsWith("state.db-"));
    expect(files.toSorted()).toEqual(["lock.db", "state.db"]);
    const state = State.open(wine.path(STATE));
    expect(isBound(state)).toBe(false);
    expect(() => verifyJournal(state)).not.toThrow();
    state.close();
  });

  it("is another device when it is installed and bound again, and goes on with its journal", async () => {
    expect(await msiexec("/i", newer, ...deployment())).toBe(0);
    await another();
    expect(await said("echo again\n")).toBe("again\r\n");
    // An entry is text within the line's JSON.
    const types = (await journal()).flatMap((line) => /\\"type\\":\\"(bound|left)\\"/.exec(line)?.[1] ?? []);
    expect(types.slice(-2)).toEqual(["left", "bound"]);
    expect(await leavers([...former, device])).toEqual(former.map(({ id }) => id));
  });

  it("is removed as well where no relay can be reached", async () => {
    await desk[Symbol.asyncDispose]();
    await estate.relay.end();
    expect(await msiexec("/x", newer)).toBe(0);
    await isStopped();
    expect(record()).toMatch(/nobody was told[^\r\n]*\r?\nkeybound-agent leave: exit code 0\r\n$/);
    await estate.startRelay();
    desk = await Desk.open(estate, tenant);
  });

  it("is whole after an installation that was cut off and begun again", async () => {
    rmSync(wine.path(PROGRAMS), { recursive: true, force: true });
    const cut = wine.start(["msiexec", "/i", Wine.ofLinux(newer), "/qn"]);
    await until(() => existsSync(wine.path(`${PROGRAMS}\\node.exe`)), "a first file");
    cut.kill();
    await cut.ended();
    expect(await msiexec("/i", newer, ...deployment())).toBe(0);
    await another();
    expect(await said("echo whole\n")).toBe("whole\r\n");
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
    await another();
    expect(await said("echo beside\n")).toBe("beside\r\n");
  });

  async function versions(): Promise<readonly string[]> {
    const { said: text } = await run(
      "reg",
      "query",
      "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall",
      "/s",
    );
    return [...text.matchAll(/DisplayVersion\s+REG_SZ\s+(\S+)/g)].map(([, found]) => String(found));
  }
});
