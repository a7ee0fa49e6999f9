// Updating agents by signed jobs, with real builds, the real starter, relay and client: what is good arrives, what is not changes nothing,
// and an agent that is killed at any moment is one version or the other afterwards, with one answer.
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleProgram } from "../../scripts/build.ts";
import { releaseSigner } from "../cast/release.ts";
import { Program, until } from "../e2e/program.ts";
import { expectDone, PASSPHRASE, type Ran, runProgram } from "../operator/house.ts";
import { releaseIn, writeSums } from "../operator/release.ts";
import { bundler, install, release, signFolder } from "./built.ts";

const NEXT = "0.2.0";
const folder = mkdtempSync(join(tmpdir(), "keybound-update-suite-"));
const path = (name: string) => join(folder, name);
const keys = [releaseSigner()];
const first = bundler(folder, "0.1.0", keys);
const services: Service[] = [];
let relay: Program;
let url = "";
let pin = "";

/** What a service manager does: starts it again whenever it has ended. */
class Service {
  readonly state: string;
  readonly program: string;
  /** There is no starter: such an agent cannot replace itself. */
  isBare = false;
  #child: ChildProcess | undefined;
  #isWanted = false;
  said = "";

  constructor(name: string) {
    this.state = path(`${name}-state`);
    this.program = path(name);
    services.push(this);
  }

  start(): void {
    this.#isWanted = true;
    this.#spawn();
  }

  #spawn(): void {
    const [program, ...bundle] = this.isBare
      ? [join(this.program, "node"), join(this.program, "keybound-agent.cjs")]
      : [join(this.program, "start")];
    const child = spawn(program, [...bundle, "run", "--state", this.state], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      // By this the agent knows that it will be started again; what it says there, nobody hears.
      env: { ...process.env, NOTIFY_SOCKET: path("nobody") },
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (this.said += text));
    child.once("close", () => this.#isWanted && this.#spawn());
  }

  /** With all that it has started, as a loss of power would be but for the disk's own memory. */
  kill(): void {
    const pid = this.#child?.pid;
    if (pid !== undefined && this.#child?.exitCode === null && this.#child.signalCode === null)
      process.kill(-pid, "SIGKILL");
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("close", resolve));
    this.kill();
    await gone;
  }

  in(name: string): string | undefined {
    const file = join(this.program, "versions", name);
    return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
  }
}

const home = () => ({ KEYBOUND_HOME: path("home") });
const client = (name: string, args: readonly string[]): Promise<Ran> =>
  runProgram(path(name), [...args, "--passphrase-file", path("passphrase")], { env: home() });
const runOn = (on: Service, line: string): Promise<Ran> =>
  runProgram(path("keybound.cjs"), ["run", "--on", nameOf(on), "--passphrase-file", path("passphrase"), "--", line], {
    env: home(),
  });
const cli = (args: readonly string[]) => client("keybound.cjs", args);
const devices = async (): Promise<{ name: string; agent?: string }[]> =>
  JSON.parse(expectDone(await runProgram(path("keybound.cjs"), ["devices", "--json"], { env: home() })).stdout);

async function startRelay(): Promise<void> {
  const listen = url === "" ? "127.0.0.1:0" : new URL(url).host;
  relay = new Program("relay", ["serve", "--state", path("relay"), "--listen", listen], {});
  const [, said] = await relay.says(/listening on (\S+)/);
  url = said ?? "";
}

/** A device of this name that runs 0.1.0, admitted. */
async function device(name: string, { run = true, isBare = false } = {}): Promise<Service> {
  const service = new Service(name);
  service.isBare = isBare;
  const starter = join(service.program, "start");
  cpSync(path("installed"), service.program, { recursive: true });
  if (isBare) rmSync(starter);
  mkdirSync(service.state, { mode: 0o700 });
  const bind = ["bind", path("acme.json"), "--trust", pin, "--state", service.state];
  expectDone(await runProgram(join(service.program, "keybound-agent.cjs"), bind, {}));
  service.start();
  const own = { env: home() };
  await until(
    async () =>
      JSON.parse(
        expectDone(await runProgram(path("keybound.cjs"), ["devices", "--pending", "--json"], own)).stdout,
      )[0] !== undefined,
    "the device's request",
    () => service.said,
  );
  // Whoever unlocks admits what has proved its token.
  expectDone(await cli(["package", "--out", path("unused.json"), "--force"]));
  const isNew = (one: { name: string; agent?: string }) => one.agent === "0.1.0" && !named.has(one.name);
  let found: { name: string } | undefined;
  await until(
    async () => (found = (await devices()).find(isNew)) !== undefined,
    "the device's report",
    () => service.said,
  );
  if (found === undefined) throw new Error("no device");
  named.set(found.name, service);
  names.set(service, found.name);
  if (!run) await service.stop();
  return service;
}
const named = new Map<string, Service>();
const names = new Map<Service, string>();
const nameOf = (service: Service) => names.get(service) ?? "";

type Shown = {
  readonly job: string;
  readonly devices: readonly { readonly receipt?: { readonly outcome: Readonly<Record<string, unknown>> } }[];
};

/** The one outcome of a job for one device, once it is there. */
async function outcomeOf(job: string): Promise<Readonly<Record<string, unknown>>> {
  const deadline = performance.now() + 180_000;
  while (performance.now() < deadline) {
    const shown: Shown = JSON.parse(expectDone(await cli(["job", "show", job, "--json"])).stdout);
    const outcome = shown.devices[0]?.receipt?.outcome;
    if (outcome !== undefined) return outcome;
    await sleep(200);
  }
  throw new Error("no answer");
}

async function sent(service: Service, dir = "release"): Promise<string> {
  const { stdout } = expectDone(
    await cli(["update", "--release", path(dir), "--on", nameOf(service), "--detach", "--json"]),
  );
  const { jobs }: { jobs: string[] } = JSON.parse(stdout);
  return jobs[0] ?? "";
}

beforeAll(async () => {
  writeFileSync(path("passphrase"), `${PASSPHRASE}\n`);
  await Promise.all([
    install(path("installed"), "0.1.0", first),
    first("operator/main.ts", path("keybound.cjs")),
    bundleProgram("operator/main.ts", path("keyless.cjs"), []),
    release(path("release"), { version: NEXT, bundle: bundler(folder, NEXT, keys), signers: keys }),
  ]);
  await startRelay();
  const { stdout } = await new Program("relay", ["claim", "--state", path("relay")], {}).done();
  const claim = /claim code: (\S+)/.exec(stdout)?.[1] ?? "";
  const init = ["init", "--relay", url, "--claim", claim, "--org", "Acme", "--name", "Ada", "--acknowledge"];
  expectDone(await cli([...init, "--no-recovery-file"]));
  const made: { pin: string } = JSON.parse(
    expectDone(await cli(["package", "--out", path("acme.json"), "--json"])).stdout,
  );
  pin = made.pin;
}, 300_000);

afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await relay.end();
  rmSync(folder, { recursive: true, force: true });
});

test("a device takes the version that both have signed, answers as it, and goes on as the same device", async () => {
  const web = await device("web");
  const ran = expectDone(await cli(["update", "--release", path("release"), "--on", nameOf(web)]));
  expect(ran.stderr).toContain(`${nameOf(web)}: 0.1.0 to ${NEXT} (linux-x64)`);
  expect(`${ran.stdout}${ran.stderr}`).toContain(`updated to ${NEXT}`);
  expect([web.in("current"), web.in("trial"), web.in("failed")]).toEqual([NEXT, undefined, undefined]);
  await until(
    async () => (await devices()).some((one) => one.name === nameOf(web) && one.agent === NEXT),
    "its report",
  );
  const job = expectDone(await runOn(web, "echo still here"));
  expect(job.stdout).toContain("still here");
  const again = expectDone(await cli(["update", "--release", path("release"), "--on", nameOf(web)]));
  expect(again.stderr).toContain(`${NEXT} or a newer one runs there already`);
});

test("a client sends nothing of a release that its build cannot prove, or whose file is another", async () => {
  const update = (client_: string, dir: string) =>
    client(client_, ["update", "--release", path(dir), "--all", "--detach"]);
  expect(await update("keyless.cjs", "release")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("release-keyless"),
  });
  cpSync(path("release"), path("stranger"), { recursive: true });
  signFolder(path("stranger"), NEXT, [releaseSigner("a stranger")]);
  expect(await update("keybound.cjs", "stranger")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("release-unsigned"),
  });
  const archive = `keybound-agent-${NEXT}-linux-x64.update`;
  cpSync(path("release"), path("changed"), { recursive: true });
  const bytes = readFileSync(path(join("release", archive)));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(path(join("changed", archive)), bytes);
  await device("idle");
  expect(await update("keybound.cjs", "changed")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("release-other"),
  });
});

test("a folder of installers is said to be signed where it is, and not made where the sums are not the signed ones", async () => {
  const from = releaseIn(path("installers"));
  const made = (out: string) => cli(["package", "--for", "linux-deb", "--release", from, "--out", path(out)]);
  signFolder(from, "0.1.0", keys);
  const signed = expectDone(await made("signed"));
  expect(signed.stderr).not.toContain("the release is not signed");
  expect(readFileSync(path("signed/INSTALL.txt"), "utf8")).not.toContain("the release is not signed");
  writeFileSync(join(from, "keybound-agent_0.1.0_amd64.deb"), "another");
  writeSums(from);
  expect(await made("changed-installers")).toMatchObject({ code: 1, stderr: expect.stringContaining("release-other") });
  expect(existsSync(path("changed-installers"))).toBe(false);
});

test("a device refuses what the relay has altered, and runs as before", async () => {
  const mail = await device("mail", { run: false });
  const job = await sent(mail);
  await relay.end();
  const db = new DatabaseSync(path("relay/relay.db"));
  // One bit in the middle of what it was given last.
  const row = db.prepare("SELECT blob, at, bytes FROM blob_part ORDER BY blob DESC, at DESC LIMIT 1 OFFSET 40").get();
  if (!(row?.["bytes"] instanceof Uint8Array)) throw new Error("no such part");
  row["bytes"][1000] = (row["bytes"][1000] ?? 0) ^ 1;
  db.prepare("UPDATE blob_part SET bytes = ? WHERE blob = ? AND at = ?").run(
    row["bytes"],
    row["blob"] ?? 0,
    row["at"] ?? 0,
  );
  db.close();
  await startRelay();
  mail.start();
  expect(await outcomeOf(job)).toMatchObject({ type: "refused", code: "file-digest" });
  expect([mail.in("trial"), mail.in("current")]).toEqual([undefined, undefined]);
});

test("a first device that cannot replace itself keeps the next from being sent anything; once it can, both follow", async () => {
  const bare = await device("bare", { isBare: true });
  const next = await device("next");
  const rollOut = ["update", "--release", path("release"), "--on", `${nameOf(bare)},${nameOf(next)}`, "--canary", "1"];
  const stopped = await cli(rollOut);
  expect(stopped).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(`${nameOf(bare)} (1): refused update-place`),
  });
  expect(stopped.stderr).toContain(`stopped: not every device was updated; not sent to ${nameOf(next)}`);
  expect([next.in("asked"), next.in("trial"), next.in("current")]).toEqual([undefined, undefined, undefined]);
  await bare.stop();
  bare.isBare = false;
  cpSync(path("installed/start"), join(bare.program, "start"));
  bare.start();
  expectDone(await cli(rollOut));
  expect([bare.in("current"), next.in("current")]).toEqual([NEXT, NEXT]);
});

test("an agent that is killed again and again on the way is one version or the other, and answers once", async () => {
  const db1 = await device("db1");
  const job = await sent(db1);
  const answered = new AbortController();
  const killing = (async () => {
    for (let at = 0; at < 40; at++) {
      await sleep(150 + 97 * at, undefined, { signal: answered.signal });
      db1.kill();
    }
  })().catch(() => undefined);
  const outcome = await outcomeOf(job);
  answered.abort();
  await killing;
  expect(["updated", "rolled-back", "lost"]).toContain(outcome["type"]);
  const version = outcome["type"] === "updated" ? NEXT : "0.1.0";
  expect(expectDone(await runOn(db1, "echo alive")).stdout).toContain("alive");
  expect((await devices()).find((one) => one.name === nameOf(db1))?.agent).toBe(version);
  expect(await outcomeOf(job)).toEqual(outcome);
});
