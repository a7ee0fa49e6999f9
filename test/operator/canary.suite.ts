// `keybound update --canary`: a real relay and client, devices that prove what a test has them prove. Nobody is sent anything before all of
// the first were updated, whatever keeps them from it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Outcome } from "../../protocol/outcome.ts";
import { contentOf } from "../cast/job-file.ts";
import { digestOf } from "../cast/random.ts";
import { releaseOf, releaseSigner } from "../cast/release.ts";
import { bundler } from "../release/built.ts";
import { OperatorHouse, type Ran, expectDone, runProgram } from "./house.ts";
import { LyingRelay } from "./lying-relay.ts";
import { SocketDevice } from "./socket-device.ts";

const NAMES = ["web1", "web2", "web3", "db1"] as const;
const UPDATED: Outcome = { type: "updated", version: "0.2.0" };
const REFUSED: Outcome = { type: "refused", code: "update-place" };

let house: OperatorHouse;
/** Before the relay, so that every line can be cut. */
let front: LyingRelay;
let client: string;
let release: string;
let devices: Map<string, SocketDevice>;

const of = (name: string): SocketDevice => {
  const found = devices.get(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

beforeAll(async () => {
  front = await LyingRelay.open();
  house = await OperatorHouse.open({ front: front.url });
  front.upstream = house.relay.url;
  expectDone(await house.init());
  const { file } = await house.package("acme.json");
  const enrolled = NAMES.map(async (name) => {
    const one = await SocketDevice.enrol(front.url, { file, word: name, host: `${name}.example` });
    await one.report({ agent: "keybound-agent 0.1.0" });
    return [name, one] as const;
  });
  devices = new Map(await Promise.all(enrolled));
  expectDone(await house.unlocked(["group", "add", "db", "db1"]));
  client = house.path("keybound.cjs");
  await bundler(house.folder, "0.1.0", [releaseSigner()])("operator/main.ts", client);
  release = house.path("release");
  mkdirSync(release);
  writeFileSync(join(release, "release.json"), releaseOf());
  writeFileSync(join(release, "keybound-agent-0.2.0-linux-x64.update"), contentOf(70_000));
}, 120_000);

afterAll(async () => {
  await Promise.all([...devices.values()].map((one) => one.close()));
  await house[Symbol.asyncDispose]();
  await front[Symbol.asyncDispose]();
});

/** `keybound update` of these, by a client that has the release's key. */
function update(args: readonly string[], onStart: (pid: number) => void = () => undefined): Promise<Ran> {
  const given = ["update", "--release", release, ...args, "--passphrase-file", house.passphraseFile];
  const env = { KEYBOUND_HOME: house.home };
  return runProgram(client, given, { env, onStart: (child) => onStart(child.pid ?? 0) });
}

/** Names of the devices of each job that the relay has had since the last time, each job's in one string. */
async function sentSince(): Promise<readonly string[]> {
  const rows: { job: string; on: string }[] = JSON.parse(
    expectDone(await house.run(["jobs", "--json", "--limit", "200"])).stdout,
  );
  const news = rows.filter(({ job }) => !seen.has(job));
  for (const { job } of news) seen.add(job);
  return news.map(({ on }) => on).toReversed();
}
const seen = new Set<string>();

async function answers(name: string, outcome: Outcome): Promise<void> {
  const one = of(name);
  const job = await one.job();
  one.take(job);
  await one.answer(job, "", outcome);
}

type Json = {
  readonly batch: string;
  readonly version: string;
  readonly jobs: readonly string[];
  readonly before: readonly { readonly name: string; readonly version: string }[];
  readonly devices: readonly { readonly name: string; readonly ok: boolean }[];
  readonly notSent?: readonly { readonly device: string; readonly name: string }[];
};

test("a first device that refuses keeps the others from being sent anything", async () => {
  const ran = update(["--all", "--canary", "1"]);
  await answers("db1", REFUSED);
  const { code, stdout, stderr } = await ran;
  expect(code).toBe(1);
  expect(stdout).toContain("db1 (1): refused update-place: ");
  expect(stderr).toMatch(/^db1: 0\.1\.0 to 0\.2\.0 \(linux-x64\)$/m);
  expect(stderr).toMatch(/^stopped: not every device was updated; not sent to web\[1-3\]$/m);
  expect(stderr).not.toContain("web[1-3]: 0.1.0");
  expect(await sentSince()).toEqual(["db1"]);
});

test("one of the first is enough for that, and the answer for programs is one", async () => {
  const ran = update(["--all", "--canary", "2", "--json"]);
  await Promise.all([answers("db1", UPDATED), answers("web1", REFUSED)]);
  const { code, stdout } = await ran;
  const json: Json = JSON.parse(stdout);
  expect(code).toBe(1);
  expect(json.devices.map(({ name, ok }) => [name, ok])).toEqual([
    ["db1", true],
    ["web1", false],
  ]);
  expect(json.notSent).toEqual(["web2", "web3"].map((name) => ({ device: of(name).device.id, name })));
  expect(json.before.map(({ name }) => name)).toEqual(["db1", "web1", "web2", "web3"]);
  expect(await sentSince()).toEqual(["db1, web1"]);
});

test("once all of the first were updated the others follow, in one batch and with one answer", async () => {
  const ran = update(["--all", "--canary", "2", "--json"]);
  await answers("db1", UPDATED);
  await sleep(300);
  // Half of the first is not all of them.
  expect(await sentSince()).toEqual(["db1, web1"]);
  await answers("web1", UPDATED);
  await Promise.all([answers("web2", UPDATED), answers("web3", UPDATED)]);
  const { stdout } = expectDone(await ran);
  const json: Json = JSON.parse(stdout);
  expect(json.devices.map(({ name, ok }) => `${name} ${ok}`)).toEqual([
    "db1 true",
    "web1 true",
    "web2 true",
    "web3 true",
  ]);
  expect([json.version, json.notSent, json.jobs.length]).toEqual(["0.2.0", undefined, 2]);
  const listed: { job: string; batch: string }[] = JSON.parse(expectDone(await house.run(["jobs", "--json"])).stdout);
  expect(listed.filter(({ job }) => json.jobs.includes(job)).map(({ batch }) => batch)).toEqual([
    json.batch,
    json.batch,
  ]);
  expect(await sentSince()).toEqual(["web[2-3]"]);
});

test("whoever has enough of waiting for the first has sent the others nothing", async () => {
  let pid = 0;
  const ran = update(["--all", "--canary", "1"], (started) => (pid = started));
  const job = await of("db1").job();
  process.kill(pid, "SIGINT");
  const { code, stderr } = await ran;
  expect(code).toBe(1);
  expect(stderr).toContain(`1 device of 1 has not answered yet; see keybound job show ${job.manifest.job}`);
  expect(stderr).toMatch(/^stopped: .*not sent to web\[1-3\]$/m);
  await of("db1").answer(job, "", UPDATED);
  const late = update(["--all", "--canary", "1", "--wait-timeout", "1s"]);
  const again = await of("db1").job();
  expect((await late).stderr).toMatch(/^stopped: .*not sent to web\[1-3\]$/m);
  await of("db1").answer(again, "", UPDATED);
  expect(await sentSince()).toEqual(["db1", "db1"]);
});

test("those that are online come first, and who is not is named", async () => {
  await of("db1").close();
  let pid = 0;
  const ran = update(["--all", "--canary", "1"], (started) => (pid = started));
  await answers("web1", UPDATED);
  await Promise.all([answers("web2", UPDATED), answers("web3", REFUSED)]);
  process.kill(pid, "SIGINT");
  const { stderr } = await ran;
  expect(stderr.split("\n").filter((line) => / to 0\.2\.0|offline/.test(line))).toEqual([
    "web1: 0.1.0 to 0.2.0 (linux-x64)",
    "db1, web[2-3]: 0.1.0 to 0.2.0 (linux-x64)",
    "offline now, and updated when they come: db1",
  ]);
});

test("one that was uninstalled is left out, and named by itself refused", async () => {
  await of("web3").report({ left: { journal: { seq: 7, hash: digestOf("journal") } } });
  const { code, stderr } = await update(["--on", "web3"]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: device-gone: ")]);
  const ran = update(["--all", "--detach"]);
  expect((await ran).stderr).toMatch(/^left out: web3 \(uninstalled /m);
  expect((await sentSince()).at(-1)).toBe("db1, web[1-2]");
  await Promise.all([answers("web1", UPDATED), answers("web2", UPDATED)]);
});

test("a client that loses the relay while the first are updated sends the others nothing, and says so", async () => {
  const ran = update(["--all", "--canary", "1"]);
  await of("web1").job();
  front.cut();
  const { code, stderr } = await ran;
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: relay-unreachable: ")]);
  expect(stderr).toMatch(/^stopped: .*not sent to db1, web2$/m);
  expect(await sentSince()).toEqual(["web1"]);
});

test("one that the release has nothing for is named to people and programs, and the exit code says so", async () => {
  const { file } = await house.package("windows.json");
  const enrolled = { file, word: "win1", host: "win1.example", platform: "windows" } as const;
  devices.set("win1", await SocketDevice.enrol(front.url, enrolled));
  expectDone(await house.unlocked(["group", "add", "desk", "win1"]));
  const { code, stdout, stderr } = await update(["--group", "desk", "--json"]);
  expect([code, JSON.parse(stdout)]).toEqual([
    1,
    {
      version: "0.2.0",
      jobs: [],
      before: [],
      devices: [],
      leftOut: [{ device: of("win1").device.id, name: "win1", why: "no-update", platform: "windows-x64" }],
    },
  ]);
  expect(stderr).toContain("left out: win1: the release has no update for windows-x64");
});
