// The agent killed at every point where it commits: no job runs twice, each accepted one has one answer, the chain has no gap.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readFarewell } from "../../agent/binding/farewell.ts";
import { readOwner, readTombstones } from "../../agent/binding/owner.ts";
import { readJournal, verifyJournal } from "../../agent/state/journal.ts";
import { State } from "../../agent/state/state.ts";
import { pinOf } from "../../protocol/pin.ts";
import { checkReceiptChain, type Receipt, readReceipt } from "../../protocol/receipt.ts";
import { type RunningRelay, startRelay } from "../../relay/start.ts";
import { Clock, DAY } from "../cast/clock.ts";
import type { Device } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { packageOf } from "../cast/package.ts";
import { person, raw } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { operatorAt, WireClient } from "../cast/wire-client.ts";
import { submission } from "../relay/moves.ts";
import { bindTo, deviceOf, ownerOf } from "./bound.ts";

/** Far more than the story has commits. */
const MAX_POINTS = 300;
const here = (name: string) => join(import.meta.dirname, name);

let root: string;
let relay: RunningRelay;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "keybound-agent-crash-"));
  relay = await startRelay({
    folder: join(root, "relay"),
    listen: { host: "127.0.0.1", port: 0 },
    now: () => Date.now(),
    ticks: () => performance.now(),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    log: { info: () => undefined, warn: () => undefined, error: (fields, message) => console.error(message, fields) },
  });
});
afterAll(async () => {
  await relay.close();
  rmSync(root, { recursive: true, force: true });
});

function clockNow(): Clock {
  const clock = new Clock();
  clock.now = Date.now();
  return clock;
}

test("an agent killed at any commit runs nothing twice and answers everything once", { timeout: 900_000 }, async () => {
  let points = 0;
  for (let n = 1; n <= MAX_POINTS; n++) {
    const wasKilled = await crashAt(n);
    if (!wasKilled) break;
    points = n;
  }
  console.log(`killed at each of ${points} points`);
  expect(points).toBeGreaterThan(30);
  expect(points).toBeLessThan(MAX_POINTS);
});

/** One device's life: jobs come in while it dies at its n-th point; a successor finishes. `false`: it lived to the end. */
async function crashAt(n: number): Promise<boolean> {
  const acme = new Tenant({ name: `Acme ${n}`, clock: clockNow() });
  const folder = join(root, `device ${n}`);
  const state = State.open(folder);
  await claimTenant(acme);
  bindTo(state, acme, { deployment: { relays: [relay.url] } });
  const device = deviceOf(state);
  state.close();
  const operator = await operatorAt(relay.url, acme);
  const first = startAgent(folder, n);
  const died = once(first, "exit").then(() => "died" as const);
  try {
    const story = tell(operator, { acme, device, marks: join(folder, "marks") });
    const isDone = (await Promise.race([story, died])) !== "died";
    if (isDone) first.kill("SIGTERM");
    await died;
    const jobs = isDone ? await story : await finish(folder, story);
    await check({ operator, acme, device, folder, jobs, at: `point ${n}` });
    return !isDone;
  } finally {
    first.kill("SIGKILL");
    await operator.close();
  }
}

async function claimTenant(acme: Tenant): Promise<void> {
  const client = await WireClient.dial(relay.url);
  const [genesis] = acme.log;
  if (genesis === undefined) throw new Error("a tenant without a log");
  await client.done({ type: "create-tenant", claim: relay.newClaimCode() }, [genesis]);
  await client.close();
}

function startAgent(folder: string, n: number): ChildProcess {
  return spawn(process.execPath, [here("fault-agent.ts"), folder, String(n)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** A successor takes over until the story has come to its end. */
async function finish<T>(folder: string, story: Promise<T>): Promise<T> {
  const successor = startAgent(folder, 0);
  const ended = once(successor, "exit");
  try {
    return await story;
  } finally {
    successor.kill("SIGTERM");
    await ended;
  }
}

type Marked = { readonly acme: Tenant; readonly device: Device; readonly marks: string };

/** Six jobs that each leave a mark, one of them later, one that is refused, and a key event in between; until all are answered. */
async function tell(operator: WireClient, { acme, device, marks }: Marked): Promise<readonly Job[]> {
  await enrolled(operator, device);
  const job = (word: string, manifest = {}, body = {}) =>
    jobFor({
      tenant: acme,
      devices: [device],
      word,
      manifest,
      body: { source: `echo ${word} >> '${marks}'; echo done`, ...body },
    });
  const send = async (sent: Job) => {
    const { header, parts } = submission(sent);
    // The relay is told a later end than was signed: whether a job has expired is for the device to judge.
    await operator.done({ ...header, expiresAt: Date.now() + DAY }, parts);
    return sent;
  };
  const past = Date.now() - DAY;
  const jobs = [
    await send(job("one")),
    await send(job("two", {}, { lock: "disk" })),
    await send(job("three", {}, { lock: "disk" })),
    await send(job("late", { notBefore: Date.now() + 400 })),
    await send(job("expired", { issuedAt: past - 1000, notBefore: past - 1000, expiresAt: past })),
  ];
  const bob = person("Bob");
  const bytes = acme.sign({ type: "operator.add", key: acme.keyOf(bob) }, [
    acme.founder.signer,
    bob.signer,
    bob.recovery,
  ]);
  acme.take(bytes);
  await operator.done({ type: "append", log: "key" }, [bytes]);
  const all = [...jobs, await send(job("after the key event"))];
  await allAnswered(operator, all);
  return all;
}

async function enrolled(operator: WireClient, { id }: Device): Promise<void> {
  for (;;) {
    const { header } = await operator.request({ type: "list-devices" });
    if (JSON.stringify(header).includes(id)) return;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

async function allAnswered(operator: WireClient, jobs: readonly Job[]): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (const { job } of jobs) {
    for (;;) {
      if (Date.now() > deadline) throw new Error(`job ${job} is not answered`);
      const { header } = await operator.request({ type: "read-job", job });
      if (JSON.stringify(header["deliveries"]).includes('"answered"')) break;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

type Finished = {
  readonly operator: WireClient;
  readonly acme: Tenant;
  readonly device: Device;
  readonly folder: string;
  readonly jobs: readonly Job[];
  readonly at: string;
};

async function check({ operator, acme, device, folder, jobs, at }: Finished): Promise<void> {
  const state = State.open(folder);
  try {
    const receipts = await readChain(operator, { acme, device, state });
    expect(
      receipts.map(({ job }) => job).toSorted((a, b) => a.localeCompare(b)),
      `one answer each, ${at}`,
    ).toEqual(jobs.map(({ job }) => job).toSorted((a, b) => a.localeCompare(b)));
    checkMarks(jobs, receipts, { marks: join(folder, "marks"), at });
    verifyJournal(state);
    expect(state.all("SELECT job FROM ledger WHERE state <> 'finished'"), `nothing open, ${at}`).toEqual([]);
  } finally {
    state.close();
  }
}

/** The relay's receipts of the device, each proved and each following the one before. */
async function readChain(
  operator: WireClient,
  { acme, device, state }: { acme: Tenant; device: Device; state: State },
) {
  const { parts } = await operator.request({ type: "list-receipts", device: device.id, from: 1 });
  let before = { seq: 0, id: ownerOf(state).enrolment.id };
  return parts.map((bytes) => {
    const { receipt, id } = readReceipt(bytes, { sig: raw(device.signer), tenant: acme.id });
    checkReceiptChain(before, receipt);
    before = { seq: receipt.seq, id };
    return receipt;
  });
}

function checkMarks(
  jobs: readonly Job[],
  receipts: readonly Receipt[],
  { marks, at }: { marks: string; at: string },
): void {
  const lines = existsSync(marks) ? readFileSync(marks, "utf8").split("\n") : [];
  for (const job of jobs) {
    const word = /echo (.*?) >>/.exec(new TextDecoder().decode(job.plain))?.[1];
    const runs = lines.filter((line) => line === word).length;
    const outcome = receipts.find((receipt) => receipt.job === job.job)?.outcome;
    const allowed = outcome?.type === "exited" ? [1] : outcome?.type === "lost" ? [0, 1] : [0];
    expect(allowed, `${word} ran ${runs} times and ended as ${JSON.stringify(outcome)}, ${at}`).toContain(runs);
  }
}

test("a device killed at any commit of a re-binding has the old owner or the new, and can always be bound", {
  timeout: 300_000,
}, async () => {
  let points = 0;
  for (let n = 1; n <= MAX_POINTS; n++) {
    const folder = join(root, `binding ${n}`);
    const acme = new Tenant({ clock: clockNow() });
    const next = new Tenant({ clock: clockNow(), epoch: 2, supersedes: [acme.id], founder: person("Eve", "admin") });
    const state = State.open(folder);
    bindTo(state, acme);
    const before = deviceOf(state);
    state.close();
    const file = join(root, `package ${n}`);
    writeFileSync(file, packageOf(next));
    const code = await exitOf(
      spawn(process.execPath, [here("fault-bind.ts"), folder, String(n), file, pinOf(next.id)], { stdio: "inherit" }),
    );
    checkOneOwner(folder, [acme, next], before);
    expect(
      await exitOf(
        spawn(process.execPath, [here("fault-bind.ts"), folder, "0", file, pinOf(next.id)], { stdio: "inherit" }),
      ),
    ).toBe(0);
    checkOneOwner(folder, [next], before);
    if (code === 0) {
      points = n - 1;
      break;
    }
  }
  expect(points).toBeGreaterThan(1);
});

async function exitOf(child: ChildProcess): Promise<number | null> {
  await once(child, "exit");
  return child.exitCode;
}

/** One owner and one identity that can be used; the one before is kept to say farewell where it has ended, and only there. */
function checkOneOwner(folder: string, possible: readonly Tenant[], before: Device): void {
  const state = State.open(folder);
  try {
    const owner = readOwner(state);
    expect(possible.map(({ id }) => id)).toContain(owner?.tenant);
    expect(readTombstones(state).has(owner?.tenant ?? "")).toBe(false);
    expect(state.all("SELECT seq FROM key_entry")).toHaveLength((owner?.keyState.head.seq ?? -1) + 1);
    expect(() => verifyJournal(state)).not.toThrow();
    expect(readJournal(state, 1)[0]?.entry).toContain(owner?.device);
    const hasLeft = owner?.device !== before.id;
    expect(readFarewell(state)?.device).toBe(hasLeft ? before.id : undefined);
    expect(state.all("SELECT seed FROM former JOIN owner USING (seed)")).toEqual([]);
  } finally {
    state.close();
  }
}
