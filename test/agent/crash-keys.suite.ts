// The agent killed at every commit while its owner's keys change, and while it says farewell to a former owner: the log has no gap, a
// revoked key stays revoked, and one identity at a time obeys anybody.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { readFarewell } from "../../agent/binding/farewell.ts";
import { verifyJournal } from "../../agent/state/journal.ts";
import { State } from "../../agent/state/state.ts";
import { pinOf } from "../../protocol/pin.ts";
import { DAY } from "../cast/clock.ts";
import type { Device } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { packageOf } from "../cast/package.ts";
import { type Person, person, renewed } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { until } from "../e2e/program.ts";
import { systemClock } from "./agent-process.ts";
import { bindTo, deviceOf, folder, jobsOn, ownerOf } from "./bound.ts";
import { SmallRelay } from "./small-relay.ts";

/** Far more than either story has commits. */
const MAX_POINTS = 200;
/** What a killed agent's last script still writes, it has written by then. */
const SETTLE_MS = 200;
const TIMEOUT_MS = 1_200_000;

const policy = { freshness: { mode: "off", maxAgeMs: DAY } } as const;
const here = (name: string) => join(import.meta.dirname, name);

function agentOn(path: string, n: number): ChildProcess {
  return spawn(process.execPath, [here("fault-agent.ts"), path, String(n)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** Runs an agent that dies at its n-th point until the story is told; `false`: it lived, and was ended then. */
async function diesAt(path: string, n: number, story: (gone: () => boolean) => Promise<void>): Promise<boolean> {
  const child = agentOn(path, n);
  const ended = once(child, "exit");
  const isGone = () => child.exitCode !== null || child.signalCode !== null;
  try {
    await story(isGone);
    const died = isGone();
    if (!died) child.kill("SIGTERM");
    await ended;
    return died;
  } finally {
    child.kill("SIGKILL");
  }
}

/** Tells the same story for every point at which the agent can die, and says how many there were. */
async function atEachPoint(oneLife: (n: number) => Promise<boolean>): Promise<number> {
  for (let n = 1; n <= MAX_POINTS; n++) if (!(await oneLife(n))) return n - 1;
  return MAX_POINTS;
}

function lookAt<T>(path: string, look: (state: State) => T): T {
  const state = State.open(path);
  try {
    return look(state);
  } finally {
    state.close();
  }
}

function marksIn(path: string): readonly string[] {
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];
}

type Marked = { readonly tenant: Tenant; readonly device: Device; readonly marks: string };

/** A job that leaves a word. */
function marking({ tenant, device, marks }: Marked, word: string, by: Person, manifest = {}): Job {
  const body = { source: `echo ${word} >> '${marks}'` };
  return jobFor({ tenant, devices: [device], word, signers: [by.signer], readers: [by], manifest, body });
}

function delivery(job: Job, device: Device) {
  const { wrap, body } = job.sealedFor(device);
  return [{ type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]] as const;
}

// --- Key events ---

test("an agent killed at any commit of a key event has the log before or after it", {
  timeout: TIMEOUT_MS,
}, async () => {
  const points = await atEachPoint(followAndDie);
  console.log(`killed at each of ${points} points while keys changed`);
  expect(points).toBeGreaterThan(20);
  expect(points).toBeLessThan(MAX_POINTS);
});

async function followAndDie(n: number): Promise<boolean> {
  const [ada, dora, bob, carol] = [person("Ada", "admin"), person("Dora", "admin"), person("Bob"), person("Carol")];
  const acme = new Tenant({ founder: ada, clock: systemClock(), policy });
  acme.add(dora);
  acme.add(bob);
  const relay = await SmallRelay.open([acme]);
  const path = join(folder(), "state");
  const device = lookAt(path, (state) => {
    bindTo(state, acme, { deployment: { relays: [relay.url] } });
    return deviceOf(state);
  });
  const marked = { tenant: acme, device, marks: join(path, "marks") };
  const early = marking(marked, "early", bob);
  const waiting = marking(marked, "waiting", bob, { notBefore: Date.now() + 2_500 });
  relay.greeting = [delivery(early, device), delivery(waiting, device)];
  const grow = () => relay.push(device.id, { type: "log-grew", log: "key", from: acme.head.seq }, acme.log.slice(-1));
  const change = () => {
    const doraNow = renewed(dora);
    acme.add(carol);
    grow();
    const signers = [dora.signer, doraNow.signer, doraNow.recovery];
    acme.append({ type: "operator.change", key: acme.keyOf(doraNow), jobs: "keep" }, signers);
    grow();
    acme.revoke(bob);
    grow();
    const late = [delivery(marking(marked, "late", bob), device), delivery(marking(marked, "carol", carol), device)];
    for (const [header, parts] of late) relay.push(device.id, header, parts);
    relay.greeting = [...relay.greeting, ...late];
    acme.setPolicy({ prompt: "day" });
    grow();
    acme.append({ type: "tenant.close", reason: "over" }, [ada.signer, doraNow.signer]);
    grow();
  };
  const taken = () => relay.said.filter(({ header }) => header["type"] === "taken").length;
  const isClosedThere = () => relay.reports.at(-1)?.keyHead.seq === acme.head.seq;
  const died = await diesAt(path, n, async (gone) => {
    await until(() => gone() || taken() >= 2, "both jobs to be taken");
    change();
    await until(() => gone() || isClosedThere(), "the closing to be followed");
  });
  await sleep(SETTLE_MS);
  const atDeath = marksIn(marked.marks);
  const knewOf = lookAt(path, (state) => checkLog(state, acme));
  await diesAt(path, 0, () => until(isClosedThere, `the successor to follow, after point ${n}`));
  await sleep(SETTLE_MS);
  expect(
    lookAt(path, (state) => checkLog(state, acme)),
    `at point ${n}`,
  ).toBe(acme.head.seq);
  const marks = marksIn(marked.marks);
  expect(marks, `at point ${n}`).not.toContain("late");
  expect(new Set(marks).size, `each once, at point ${n}: ${marks.join()}`).toBe(marks.length);
  // Policy and closing came after it. What was on the disk at the death holds for what is begun after it.
  const isRevoked = knewOf >= acme.head.seq - 2;
  expect(byBob(marks), `at point ${n}`).toEqual(byBob(isRevoked ? atDeath : marks));
  relay.close();
  return died;
}

function byBob(words: readonly string[]): readonly string[] {
  return words.filter((word) => word === "early" || word === "waiting");
}

/** A log without a gap, and the state that everybody has who knows as much of it. The head's place. */
function checkLog(state: State, tenant: Tenant): number {
  const { keyState } = ownerOf(state);
  const { seq } = keyState.head;
  const entries = state.all("SELECT seq, id FROM key_entry ORDER BY seq");
  expect(entries).toEqual(tenant.entries.slice(0, seq + 1).map(({ id }, place) => ({ seq: place, id })));
  expect(keyState).toEqual(tenant.stateAt(seq));
  expect(() => verifyJournal(state)).not.toThrow();
  return seq;
}

// --- Farewell ---

test("an agent killed at any commit of a farewell says it in the end, and obeys one owner", {
  timeout: TIMEOUT_MS,
}, async () => {
  const points = await atEachPoint(leaveAndDie);
  console.log(`killed at each of ${points} points of a farewell`);
  expect(points).toBeGreaterThan(5);
  expect(points).toBeLessThan(MAX_POINTS);
});

async function leaveAndDie(n: number): Promise<boolean> {
  const acme = new Tenant({ clock: systemClock(), policy });
  const founder = person("Eve", "admin");
  const next = new Tenant({ clock: systemClock(), policy, epoch: 2, supersedes: [acme.id], founder });
  const [former, present] = await Promise.all([SmallRelay.open([acme]), SmallRelay.open([next])]);
  const path = join(folder(), "state");
  const file = join(path, "package");
  const marks = join(path, "marks");
  const [device, owed] = lookAt(path, (state) => {
    bindTo(state, acme, { deployment: { relays: [former.url] } });
    const { jobs } = jobsOn(state, acme, { path });
    const job = marking({ tenant: acme, device: deviceOf(state), marks }, "owed", acme.founder, {
      notBefore: Date.now() + DAY / 2,
    });
    jobs.receive({ envelope: job.envelope, ...job.sealedFor(deviceOf(state)) }, { watched: false, asked: false });
    void jobs.stop("agent-stop");
    return [deviceOf(state), job] as const;
  });
  writeFileSync(file, packageOf(next, { deployment: { relays: [present.url] } }));
  const binding = spawn(process.execPath, [here("fault-bind.ts"), path, "0", file, pinOf(next.id)], {
    stdio: "inherit",
  });
  expect(await once(binding, "exit")).toEqual([0, null]);
  const now = lookAt(path, deviceOf);
  former.greeting = [delivery(marking({ tenant: acme, device, marks }, "former", acme.founder), device)];
  present.greeting = [delivery(marking({ tenant: next, device: now, marks }, "present", founder), now)];
  const isTold = () => former.reports.length > 0;
  const isServed = () => present.kinds(now.id).includes("receipt");
  const isOver = () => isTold() && isServed() && former.devices.length === 0;
  const died = await diesAt(path, n, (gone) => until(() => gone() || isOver(), "the farewell"));
  await diesAt(path, 0, () => until(() => isOver() && isForgotten(path), `the successor's farewell, after point ${n}`));
  expect(former.reports.every(({ moved }) => moved?.device === now.id && moved.tenant === next.id)).toBe(true);
  expect(new Set(former.kinds(device.id)), `at point ${n}`).toEqual(new Set(["receipt", "report"]));
  expect(former.said.some(({ header }) => header["job"] === owed.job)).toBe(true);
  expect(
    marksIn(marks).filter((word) => word !== "present"),
    `at point ${n}`,
  ).toEqual([]);
  expect(marksIn(marks).length, `at point ${n}`).toBeLessThanOrEqual(1);
  expect(lookAt(path, ownerOf).device).toBe(now.id);
  for (const relay of [former, present]) relay.close();
  return died;
}

function isForgotten(path: string): boolean {
  return lookAt(path, readFarewell) === undefined;
}
