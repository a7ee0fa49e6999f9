// Updates of the agent on Windows by signed jobs, under Wine: the real installer, service host, relay and client. What is good arrives; of
// what is bad the version before it is there again; and an uninstallation leaves nothing of either. docs/update.md says what Wine does not show.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildMsi } from "../../scripts/package/windows/msi.ts";
import { buildServiceHost } from "../../scripts/package/windows/programs.ts";
import { releaseSigner } from "../cast/release.ts";
import { Program, until } from "../e2e/program.ts";
import { expectDone, PASSPHRASE, type Ran, runProgram } from "../operator/house.ts";
import { bundler, release } from "../release/built.ts";
import { VARIANTS, type Variant } from "../system/agent-variant.ts";
import { EPOCH_S } from "./installers.ts";
import { AGENT_WORDS, PROGRAMS, Wine, type WineProgram } from "./wine.ts";

const HOST = `${PROGRAMS}\\keybound-service.exe`;
const PATIENCE_MS = 400_000;
/** Under Wine, on a busy machine, Node takes seconds to start. */
const WAITS_MS = { TRIAL_MS: 45_000, NAME_MS: 30_000 };

const folder = mkdtempSync(join(tmpdir(), "keybound-windows-update-"));
const path = (name: string) => join(folder, name);
const signers = [releaseSigner()];
let wine: Wine;
let keeper: WineProgram;
let relay: Program;

const home = () => ({ env: { KEYBOUND_HOME: path("home") } });
const unlocked = ["--passphrase-file", path("passphrase")];
const cli = (args: readonly string[]): Promise<Ran> => runProgram(path("keybound.cjs"), [...args], home());

async function run(...words: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  const program = wine.start(words);
  const code = await program.ended();
  return { code, said: program.said };
}

const onDisk = (name: string) => wine.path(`${PROGRAMS}\\versions\\${name}`);
const inVersions = (name: string) => (existsSync(onDisk(name)) ? readFileSync(onDisk(name), "utf8") : undefined);
const serving = () => wine.processesWith("--until-input-ends");
const hosts = () => wine.processesWith("keybound-service.exe");
const trials = () => wine.processesWith("--prove");

/** The versions whose agents serve; the packaged one is `""`. */
function servedBy(): readonly string[] {
  return serving().map((pid) => {
    const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
    return /\\versions\\([\d.]+)\\keybound-agent\.cjs/.exec(line)?.[1] ?? "";
  });
}

async function comesTrue(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await sleep(200))
    if (await isSo()) return;
  throw new Error(`${what} did not come: ${readdirSync(wine.path(PROGRAMS)).join(" ")}\n${keeper.said.slice(-8000)}`);
}

const serves = (version: string) => comesTrue(() => servedBy().join() === version, `an agent of ${version}`);

async function install(version: string): Promise<string> {
  const file = path(`${version}.msi`);
  await buildMsi({ version, epochS: EPOCH_S, file, bundle: bundler(folder, version, signers) });
  return file;
}

/** Windows says to the version that it removes whether another one comes, and Wine does not: it stands in the package that Wine has kept. */
function sayUpgrade(): void {
  const values = "('UPGRADINGPRODUCTCODE', '{B0D5A3F1-5B0C-4B4E-9C50-7F0F9B7B6A12}')";
  for (const kept of globSync(join(wine.path("C:\\windows\\Installer"), "*.msi")))
    execFileSync("msibuild", [kept, "-q", `INSERT INTO \`Property\` (\`Property\`, \`Value\`) VALUES ${values}`]);
}

const msiexec = async (what: "/i" | "/x", file: string, ...more: readonly string[]) =>
  (await run("msiexec", what, Wine.ofLinux(file), "/qn", ...more)).code;

/** As it ships, but for how long it waits. */
async function hurry(): Promise<void> {
  expect((await run("net", "stop", "KeyboundAgent")).code).toBe(0);
  await comesTrue(() => hosts().length === 0, "no host");
  buildServiceHost(wine.path(PROGRAMS), WAITS_MS);
  await start();
}

const start = async () => expect((await run("net", "start", "KeyboundAgent")).code).toBe(0);

async function restart(): Promise<void> {
  expect((await run("net", "stop", "KeyboundAgent")).code).toBe(0);
  await comesTrue(() => hosts().length === 0, "no host");
  await start();
}

/** Signs a release of this version and sends the job; answers its id. */
async function bring(version: string, variant: Variant): Promise<string> {
  const at = path(`release-${version}`);
  const bundle = bundler(folder, version, signers, VARIANTS[variant]);
  await release(at, { version, bundle, signers, platform: "windows-x64" });
  const sent = expectDone(await cli(["update", "--release", at, "--all", "--detach", "--json", ...unlocked]));
  rmSync(at, { recursive: true });
  const { jobs }: { jobs: string[] } = JSON.parse(sent.stdout);
  return jobs[0] ?? "";
}

type Outcome = Readonly<Record<string, unknown>>;
type Shown = { readonly devices: readonly { readonly receipt?: { readonly outcome: Outcome } }[] };

async function outcomeOf(job: string): Promise<Outcome | undefined> {
  let outcome: Outcome | undefined;
  await comesTrue(async () => {
    const shown: Shown = JSON.parse(expectDone(await cli(["job", "show", job, "--json", ...unlocked])).stdout);
    outcome = shown.devices[0]?.receipt?.outcome;
    return outcome !== undefined;
  }, "an answer");
  return outcome;
}

/** What a job says, through relay, service and version that serves. */
async function said(): Promise<string> {
  return expectDone(await cli(["run", "--all", "--shell", "cmd", ...unlocked, "--", "echo still here"])).stdout;
}

async function versionSeen(): Promise<string | undefined> {
  const devices: { agent?: string }[] = JSON.parse(expectDone(await cli(["devices", "--json"])).stdout);
  return devices[0]?.agent;
}

beforeAll(async () => {
  writeFileSync(path("passphrase"), `${PASSPHRASE}\n`);
  wine = Wine.bare();
  keeper = wine.start(["ping", "-n", "36000", "127.0.0.1"], { WINEDEBUG: "-all,+eventlog" });
  await bundler(folder, "0.1.0", signers)("operator/main.ts", path("keybound.cjs"));
  relay = new Program("relay", ["serve", "--state", path("relay"), "--listen", "127.0.0.1:0"], {});
  const [, url = ""] = await relay.says(/listening on (\S+)/);
  const { stdout } = await new Program("relay", ["claim", "--state", path("relay")], {}).done();
  const claim = /claim code: (\S+)/.exec(stdout)?.[1] ?? "";
  const init = ["init", "--relay", url, "--claim", claim, "--org", "Acme", "--name", "Ada", "--acknowledge"];
  expectDone(await cli([...init, "--no-recovery-file", ...unlocked]));
  const made = expectDone(await cli(["package", "--out", path("acme.keybound"), "--json", ...unlocked]));
  const { pin }: { pin: string } = JSON.parse(made.stdout);
  const deployment = [`DEPLOYMENT=${Wine.ofLinux(path("acme.keybound"))}`, `TRUST=${pin}`];
  const code = await msiexec("/i", await install("0.1.0"), ...deployment);
  if (code !== 0) throw new Error(`msiexec ended with ${code}`);
  await serves("");
  await hurry();
  // Whoever unlocks admits what has proved its token.
  await comesTrue(async () => {
    expectDone(await cli(["package", "--out", path("unused.json"), "--force", ...unlocked]));
    return (await versionSeen()) === "0.1.0";
  }, "the device's report");
});

afterAll(async () => {
  wine?.[Symbol.dispose]();
  await relay?.end();
  rmSync(folder, { recursive: true, force: true });
});

it("a version that both have signed is tried, proves itself, answers, and does the jobs", async () => {
  expect(await outcomeOf(await bring("0.2.0", "good"))).toEqual({ type: "updated", version: "0.2.0" });
  expect(servedBy()).toEqual(["0.2.0"]);
  expect([inVersions("current"), inVersions("back"), inVersions("trial")]).toEqual(["0.2.0\n", "0.1.0\n", undefined]);
  expect(await said()).toContain("still here");
  await comesTrue(async () => (await versionSeen()) === "0.2.0", "its report");
});

it("is what a person's command runs, and what the doctor shows", async () => {
  expect((await run(HOST, "agent", "--version")).said.trim()).toBe("keybound-agent 0.2.0");
  expect((await run(HOST, "agent", "doctor")).said).toMatch(
    /^ok +version +0\.2\.0; packaged 0\.1\.0, updated to 0\.2\.0, before it 0\.1\.0\s*$/m,
  );
  expect((await run(HOST, "agent", "no-such-command")).code).toBe(2);
  const bundle = "C:\\support of web 1.json";
  await run(HOST, "agent", "doctor", "--bundle", bundle);
  expect(JSON.parse(readFileSync(wine.path(bundle), "utf8")).versions.agent).toBe("keybound-agent 0.2.0");
});

it("is started after a restart of the service", async () => {
  await restart();
  await serves("0.2.0");
  expect(await said()).toContain("still here");
});

describe("a version that", () => {
  it.each([
    ["exits at once", "0.3.0"],
    ["crashes after it has changed the tables", "0.3.1"],
  ] as const)("%s is given up, and the one before answers", async (variant, version) => {
    const outcome = await outcomeOf(await bring(version, variant));
    expect(outcome).toEqual({ type: "rolled-back", version, running: "0.2.0", tries: 3 });
    expect([servedBy(), inVersions("failed"), inVersions("trial")]).toEqual([["0.2.0"], `${version} 3\n`, undefined]);
    expect(await said()).toContain("still here");
  });

  it("hangs is ended with a host that dies, with a service that is stopped, and after its time, and each try counts", async () => {
    const version = "0.3.2";
    const job = await bring(version, "spins for ever");
    const hangs = (tries: number) =>
      comesTrue(() => inVersions("trial") === `${version} ${tries}\n` && trials().length === 1, `try ${tries}`);
    await hangs(1);
    for (const pid of hosts()) process.kill(pid, "SIGKILL");
    await comesTrue(() => trials().length === 0, "the end of the first try");
    await start();
    await hangs(2);
    await restart();
    await hangs(3);
    expect(await outcomeOf(job)).toEqual({ type: "rolled-back", version, running: "0.2.0", tries: 3 });
    expect([trials(), servedBy()]).toEqual([[], ["0.2.0"]]);
    expect(keeper.said).toContain(`version ${version} was ended after its time`);
    expect(await said()).toContain("still here");
  });

  it("proves itself and never serves gives way to the one before after five starts", async () => {
    const version = "0.3.3";
    const outcome = await outcomeOf(await bring(version, "never serves"));
    expect(outcome).toEqual({ type: "rolled-back", version, running: "0.2.0", tries: 5 });
    expect([servedBy(), inVersions("failed"), inVersions("current")]).toEqual([["0.2.0"], `${version} 5\n`, "0.2.0\n"]);
    expect(await said()).toContain("still here");
  });
});

describe("what lies there", () => {
  it("is not used while somebody else could write it, and no update is taken then", async () => {
    const program = onDisk("0.2.0\\node.exe");
    chmodSync(program, 0o777);
    const checked = await run(HOST, "check-versions");
    expect([checked.code, checked.said]).toEqual([
      1,
      expect.stringContaining(`${PROGRAMS}\\versions\\0.2.0\\node.exe`),
    ]);
    await restart();
    await serves("");
    expect((await run(HOST, "agent", "doctor")).said).toContain("others than administrators may write it");
    const outcome = await outcomeOf(await bring("0.3.4", "good"));
    expect(outcome).toMatchObject({ type: "refused", code: "update-place" });
    chmodSync(program, 0o755);
    expect((await run(HOST, "check-versions")).code).toBe(0);
    await restart();
    await serves("0.2.0");
  });

  it("gives way to the packaged version where it is damaged", async () => {
    truncateSync(onDisk("0.2.0\\keybound-agent.cjs"), 1000);
    await restart();
    await serves("");
    expect(await said()).toContain("still here");
  });

  it("goes with an upgrade of the package that has overtaken it", async () => {
    sayUpgrade();
    expect(await msiexec("/i", await install("0.4.0"))).toBe(0);
    await serves("");
    await comesTrue(async () => (await versionSeen()) === "0.4.0", "its report");
    expect([inVersions("current"), existsSync(onDisk("0.2.0"))]).toEqual([undefined, false]);
    expect(await said()).toContain("still here");
  });

  it("is one version or the other where all is killed again and again on the way, with one answer", async () => {
    const job = await bring("0.4.5", "good");
    for (let at = 0; at < 12; at++) {
      await sleep(300 + 450 * at);
      for (const pid of [...hosts(), ...serving(), ...trials()]) process.kill(pid, "SIGKILL");
      await comesTrue(() => hosts().length + serving().length + trials().length === 0, "the end of all");
      await start();
    }
    const outcome = await outcomeOf(job);
    const types = { updated: "0.4.5", "rolled-back": "", lost: "" };
    const ran = Object.entries(types).find(([type]) => type === outcome?.["type"])?.[1];
    await serves(ran ?? "one of its own");
    expect(await said()).toContain("still here");
    expect(await outcomeOf(job)).toEqual(outcome);
  });

  it("is replaced by the next update, and goes with a forced downgrade", async () => {
    expect(await outcomeOf(await bring("0.5.0", "good"))).toEqual({ type: "updated", version: "0.5.0" });
    sayUpgrade();
    expect(await msiexec("/i", path("0.1.0.msi"), "DOWNGRADE=1")).toBe(0);
    await serves("");
    await comesTrue(async () => (await versionSeen()) === "0.1.0", "its report");
    expect(existsSync(onDisk("current"))).toBe(false);
    expect(await said()).toContain("still here");
  });

  it("alone reads a state that it has moved on: for a person, and at its removal, which takes all of it", async () => {
    const outcome = await outcomeOf(await bring("0.2.0", "good, with more tables"));
    expect([outcome, inVersions("back")]).toEqual([{ type: "updated", version: "0.2.0" }, undefined]);
    expect((await run(HOST, "agent", "journal", "--verify")).code).toBe(0);
    expect(await run(...AGENT_WORDS, "journal", "--verify")).toEqual({
      code: 1,
      said: expect.stringContaining("state-newer"),
    });
    expect(await msiexec("/x", path("0.1.0.msi"))).toBe(0);
    await until(() => !existsSync(wine.path(`${PROGRAMS}\\versions`)), "no versions");
    expect(existsSync(wine.path(PROGRAMS)) ? readdirSync(wine.path(PROGRAMS)) : []).toEqual([]);
    const record = readFileSync(wine.path("C:\\ProgramData\\Keybound\\install.log"), "utf8");
    expect(record).toMatch(/relay was told[^\r\n]*\r?\nkeybound-agent leave: exit code 0\r\n$/);
  });
});
