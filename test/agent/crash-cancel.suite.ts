// The agent killed at every point where it commits while cancels come: each job and each cancel has one answer, nothing that was
// cancelled before it began runs, and a cancel that was taken is done.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyJournal } from "../../agent/state/journal.ts";
import { State } from "../../agent/state/state.ts";
import type { Outcome } from "../../protocol/outcome.ts";
import { checkReceiptChain, type Receipt, readReceipt } from "../../protocol/receipt.ts";
import { type RunningRelay, startRelay } from "../../relay/start.ts";
import { Clock, DAY } from "../cast/clock.ts";
import type { Device } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { raw } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { operatorAt, WireClient } from "../cast/wire-client.ts";
import { submission } from "../relay/moves.ts";
import { bindTo, deviceOf, ownerOf } from "./bound.ts";

/** Far more than the story has commits. */
const MAX_POINTS = 300;

let root: string;
let relay: RunningRelay;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "keybound-agent-crash-cancel-"));
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

test("an agent killed at any commit of a cancel answers each job and the cancel once, and has done it", {
  timeout: 900_000,
}, async () => {
  let points = 0;
  const seen = new Set<string>();
  for (let n = 1; n <= MAX_POINTS; n++) {
    const { wasKilled, states } = await crashAt(n);
    for (const state of states) seen.add(state);
    if (!wasKilled) break;
    points = n;
  }
  console.log(`killed at each of ${points} points; states: ${[...seen].join(", ")}`);
  expect(points).toBeGreaterThan(25);
  expect(points).toBeLessThan(MAX_POINTS);
  expect([...seen]).toEqual(expect.arrayContaining(["ended", "was-waiting", "barred", "had-ended", "lost"]));
});

type Crash = { readonly wasKilled: boolean; readonly states: readonly string[] };

/** One device's life: jobs and cancels come in while it dies at its n-th point; a successor finishes. */
async function crashAt(n: number): Promise<Crash> {
  const clock = new Clock();
  clock.now = Date.now();
  const acme = new Tenant({ name: `Acme ${n}`, clock });
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
    const told = isDone ? await story : await finish(folder, story);
    const states = await check(operator, { acme, device, folder, told, at: `point ${n}` });
    return { wasKilled: !isDone, states };
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
  return spawn(process.execPath, [join(import.meta.dirname, "fault-agent.ts"), folder, String(n)], {
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

type Told = {
  readonly jobs: readonly Job[];
  readonly cancels: readonly Job[];
  /** Jobs that the cancel must have kept from beginning. */
  readonly never: readonly string[];
};

/** One job that has ended, one that runs, one that waits and one that comes late, all cancelled at once; then another cancel of the same. */
async function tell(operator: WireClient, { acme, device, marks }: Marked): Promise<Told> {
  await enrolled(operator, device);
  const job = (word: string, then: string, manifest = {}) =>
    jobFor({
      tenant: acme,
      devices: [device],
      word,
      manifest,
      body: { source: `echo ${word} >> '${marks}'; ${then}` },
    });
  const send = async (sent: Job) => {
    const { header, parts } = submission(sent);
    await operator.done({ ...header, expiresAt: Date.now() + DAY }, parts);
  };
  const short = job("short", "true");
  const long = job("long", "sleep 600");
  const later = job("later", "true", { notBefore: Date.now() + 3_600_000 });
  const late = job("late", "true");
  for (const one of [short, long, later]) await send(one);
  await allAnswered(operator, [short]);
  const cancel = jobFor({ tenant: acme, devices: [device], word: "cancel", cancels: [short, long, later, late] });
  const again = jobFor({ tenant: acme, devices: [device], word: "cancel again", cancels: [long, late] });
  await send(cancel);
  await send(again);
  await allAnswered(operator, [cancel, again]);
  await send(late);
  const jobs = [short, long, later, late];
  await allAnswered(operator, jobs);
  return { jobs, cancels: [cancel, again], never: ["later", "late"] };
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
  readonly acme: Tenant;
  readonly device: Device;
  readonly folder: string;
  readonly told: Told;
  readonly at: string;
};

const sorted = (words: readonly string[]) => words.toSorted((a, b) => a.localeCompare(b));

/** Answers how far the cancels say that the jobs had got. */
async function check(operator: WireClient, { acme, device, folder, told, at }: Finished): Promise<readonly string[]> {
  const state = State.open(folder);
  try {
    const receipts = await readChain(operator, { acme, device, state });
    const { jobs, cancels, never } = told;
    const all = [...jobs, ...cancels].map(({ job }) => job);
    expect(sorted(receipts.map(({ job }) => job)), `one answer each, ${at}`).toEqual(sorted(all));
    const lines = existsSync(join(folder, "marks")) ? readFileSync(join(folder, "marks"), "utf8").split("\n") : [];
    expect(
      lines.filter((line) => never.includes(line)),
      `what was cancelled first ran, ${at}`,
    ).toEqual([]);
    expect(new Set(lines).size, `nothing ran twice, ${at}`).toBe(lines.length);
    expect(state.all("SELECT job FROM ledger WHERE state <> 'finished'"), `nothing open, ${at}`).toEqual([]);
    expect(state.all("SELECT cancel FROM cancelling"), `no cancel waits, ${at}`).toEqual([]);
    verifyJournal(state);
    return checkStates(receipts, told, at);
  } finally {
    state.close();
  }
}

/** What a cancel says of a job is what the job's own receipt says. */
function checkStates(receipts: readonly Receipt[], { cancels }: Told, at: string): readonly string[] {
  const outcomeOf = (id: string) => receipts.find(({ job }) => job === id)?.outcome;
  return cancels.flatMap(({ job }) => {
    const done = outcomeOf(job);
    if (done?.type !== "cancel-done") throw new Error(`the cancel ended as ${JSON.stringify(done)}, ${at}`);
    for (const one of done.jobs)
      expect(FITS[one.state]?.(outcomeOf(one.job)), `${one.state}: ${JSON.stringify(outcomeOf(one.job))}, ${at}`).toBe(
        true,
      );
    return done.jobs.map((one) => one.state);
  });
}

const isCancelled = (outcome: Outcome | undefined) => outcome?.type === "cancelled" && outcome.by === "operator";
const FITS: Readonly<Record<string, (outcome: Outcome | undefined) => boolean>> = {
  ended: isCancelled,
  "was-waiting": isCancelled,
  barred: isCancelled,
  lost: (outcome) => outcome?.type === "lost",
  "had-ended": (outcome) => outcome !== undefined,
};

/** The relay's receipts of the device, each proved and each following the one before. */
async function readChain(
  operator: WireClient,
  { acme, device, state }: { acme: Tenant; device: Device; state: State },
): Promise<readonly Receipt[]> {
  const { parts } = await operator.request({ type: "list-receipts", device: device.id, from: 1 });
  let before = { seq: 0, id: ownerOf(state).enrolment.id };
  return parts.map((bytes) => {
    const { receipt, id } = readReceipt(bytes, { sig: raw(device.signer), tenant: acme.id });
    checkReceiptChain(before, receipt);
    before = { seq: receipt.seq, id };
    return receipt;
  });
}
