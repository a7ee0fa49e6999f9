// A job that comes round: each occurrence once, the newest where several are due, what was missed said once, and an end of all.
import { describe, expect, it } from "vitest";
import { waitingJob } from "../../agent/jobs/ledger.ts";
import { dueAt, newestDue } from "../../protocol/runs.ts";
import { DAY, HOUR } from "../cast/clock.ts";
import { type Job, type JobSetup, jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, jobsOn, openState, receiptsOf } from "./bound.ts";

const EVERY = { runs: { everyMs: HOUR, count: 5 } };

function bound(acme = new Tenant()) {
  const state = openState();
  bindTo(state, acme);
  const device = deviceOf(state);
  const round = (setup: Partial<JobSetup> = {}) =>
    jobFor({ tenant: acme, devices: [device], ...setup, manifest: { ...EVERY, ...setup.manifest } });
  const start = async (bootId?: string) => {
    const on = jobsOn(state, acme, bootId === undefined ? {} : { bootId });
    on.owned.keyState = acme.state;
    await on.jobs.recover();
    return on;
  };
  return { acme, state, device, round, start, first: jobsOn(state, acme) };
}

type On = ReturnType<typeof jobsOn>;

function give({ jobs }: On, job: Job, device: ReturnType<typeof deviceOf>) {
  return jobs.receive({ envelope: job.envelope, ...job.sealedFor(device) }, { watched: false, asked: false });
}

/** Lets the jobs look at the clock again, and waits until as many more receipts as are expected have come. */
async function look(on: On, receipts = 1): Promise<void> {
  const all = Array.from({ length: receipts }, () => 0);
  let next = on.nextReceipt();
  on.jobs.keysChanged();
  for (const [at] of all.entries()) {
    await next;
    if (at < receipts - 1) next = on.nextReceipt();
  }
}

const rows = (state: Parameters<typeof receiptsOf>[0]) =>
  receiptsOf(state).map(({ receipt: { occurrence, runsLeft, outcome } }) => ({ occurrence, runsLeft, ...outcome }));

const ok = { type: "exited", code: 0 } as const;

describe("when an occurrence is due", () => {
  const schedule = { notBefore: 1000, runs: { everyMs: 60_000, count: 3 } };

  it("is counted from 1 at fixed times from the beginning", () => {
    expect([1, 2, 3].map((k) => dueAt(schedule, k))).toEqual([1000, 61_000, 121_000]);
  });

  it("is the newest, none before the first, and never one beyond the count", () => {
    expect([0, 999, 1000, 60_999, 61_000, 999_999].map((now) => newestDue(schedule, now))).toEqual([0, 0, 1, 1, 2, 3]);
  });
});

describe("a job that comes round", () => {
  it("runs at once and then each time, and each run has its receipt with what is left", async () => {
    const { acme, state, device, round, first } = bound();
    const wait = first.nextReceipt();
    give(first, round({ manifest: { runs: { everyMs: HOUR, count: 2 } } }), device);
    await wait;
    acme.clock.now += HOUR;
    await look(first);
    expect(rows(state)).toEqual([
      { occurrence: 1, runsLeft: 1, ...ok },
      { occurrence: 2, runsLeft: 0, ...ok },
    ]);
    expect(state.all("SELECT state, body FROM ledger")).toEqual([{ state: "finished", body: null }]);
  });

  it("does not run before its time, and keeps its body until the last", async () => {
    const { acme, state, device, round, first } = bound();
    const job = round();
    const wait = first.nextReceipt();
    give(first, job, device);
    await wait;
    acme.clock.now += HOUR - 1;
    first.jobs.keysChanged();
    expect(first.jobs.running).toBe(0);
    expect(waitingJob(state, job.job)?.body).toEqual(job.body);
    expect(give(first, job, device)).toMatchObject({ refused: "job-repeated" });
  });

  it("runs only the newest after the device was away, and says the missed ones once", async () => {
    const { acme, state, device, round, first, start } = bound();
    const wait = first.nextReceipt();
    give(first, round(), device);
    await wait;
    await first.jobs.stop("agent-stop");
    acme.clock.now += 3.5 * HOUR;
    const again = await start();
    await look(again);
    expect(rows(state)).toEqual([
      { occurrence: 1, runsLeft: 4, ...ok },
      { occurrence: 3, runsLeft: 2, type: "missed", from: 2, why: "late" },
      { occurrence: 4, runsLeft: 1, ...ok },
    ]);
  });

  it("passes over what was due while the one before was still running, and says so", async () => {
    const { acme, state, device, round, first } = bound();
    const wait = first.nextReceipt();
    give(first, round({ body: { source: "sleep 0.4" } }), device);
    acme.clock.now += 2.5 * HOUR;
    await wait;
    expect(rows(state)).toEqual([
      { occurrence: 1, runsLeft: 4, ...ok },
      { occurrence: 3, runsLeft: 2, type: "missed", from: 2, why: "running" },
    ]);
    acme.clock.now += HOUR;
    await look(first);
    expect(rows(state).at(-1)).toEqual({ occurrence: 4, runsLeft: 1, ...ok });
  });

  it("is answered as expired once, where its end comes before its window", () => {
    const { acme, state, device, round, first } = bound();
    const never = { days: ["sun"], from: "03:00", to: "03:01" };
    give(first, round({ body: { window: never } }), device);
    acme.clock.now += DAY;
    first.jobs.keysChanged();
    expect(rows(state)).toEqual([{ occurrence: 1, runsLeft: 0, type: "expired" }]);
  });

  it("ends for good when its signer is revoked, and the last receipt says so", async () => {
    const acme = new Tenant();
    const bob = person("Bob", "admin");
    acme.add(bob);
    const { state, device, round, first, start } = bound(acme);
    const wait = first.nextReceipt();
    give(first, round({ signers: [bob.signer] }), device);
    await wait;
    acme.revoke(bob);
    acme.clock.now += HOUR;
    await first.jobs.stop("agent-stop");
    await start();
    expect(rows(state)).toEqual([
      { occurrence: 1, runsLeft: 4, ...ok },
      { occurrence: 2, runsLeft: 0, type: "cancelled", by: "key-revoked" },
    ]);
  });

  it("ends for good by a signed cancel while it waits", async () => {
    const { acme, state, device, round, first } = bound();
    const job = round();
    const wait = first.nextReceipt();
    give(first, job, device);
    await wait;
    give(first, jobFor({ tenant: acme, devices: [device], word: "stop", cancels: [job] }), device);
    acme.clock.now += 2 * HOUR;
    first.jobs.keysChanged();
    expect(first.jobs.running).toBe(0);
    expect(rows(state).slice(1)).toEqual([
      { occurrence: 2, runsLeft: 0, type: "cancelled", by: "operator" },
      { type: "cancel-done", jobs: [{ job: job.job, state: "was-waiting" }] },
    ]);
  });

  it("ends for good by a signed cancel while it runs, with the one receipt of that run", async () => {
    const { acme, state, device, round, first } = bound();
    const job = round({ body: { source: "sleep 600" } });
    const wait = first.nextReceipt();
    give(first, job, device);
    const ended = wait.then(() => first.nextReceipt());
    give(first, jobFor({ tenant: acme, devices: [device], word: "stop", cancels: [job] }), device);
    await ended;
    acme.clock.now += 2 * HOUR;
    first.jobs.keysChanged();
    expect(first.jobs.running).toBe(0);
    expect(rows(state)).toEqual([
      { occurrence: 1, runsLeft: 0, type: "cancelled", by: "operator" },
      { type: "cancel-done", jobs: [{ job: job.job, state: "ended" }] },
    ]);
  });

  it("that was cancelled while it ran stays ended where the agent is killed before its receipt", async () => {
    const { acme, state, device, round, first, start } = bound();
    const job = round({ body: { source: "sleep 600" } });
    give(first, job, device);
    give(first, jobFor({ tenant: acme, devices: [device], word: "stop", cancels: [job] }), device);
    acme.clock.now += 2 * HOUR;
    await start();
    expect(rows(state)).toEqual([
      { occurrence: 1, runsLeft: 0, type: "lost" },
      { type: "cancel-done", jobs: [{ job: job.job, state: "lost" }] },
    ]);
  });

  it("goes on after an occurrence that the agent's stop ended", async () => {
    const { acme, state, device, round, first, start } = bound();
    give(first, round({ body: { source: "[ -e /nowhere ] || sleep 0.2" } }), device);
    await first.jobs.stop("agent-stop");
    acme.clock.now += HOUR;
    await look(await start());
    expect(rows(state)).toEqual([
      { occurrence: 1, runsLeft: 4, type: "cancelled", by: "agent-stop" },
      { occurrence: 2, runsLeft: 3, ...ok },
    ]);
  });

  it("that was running when the agent was killed is lost for that occurrence only", async () => {
    const { acme, state, device, round, first, start } = bound();
    give(first, round({ body: { source: "sleep 600" } }), device);
    acme.clock.now += HOUR / 2;
    await start();
    expect(rows(state)).toEqual([{ occurrence: 1, runsLeft: 4, type: "lost" }]);
    expect(state.all("SELECT state, occurrence FROM ledger")).toEqual([{ state: "waiting", occurrence: 2 }]);
  });

  it("that restarts the device ends that occurrence as rebooted, and no restart makes it run before its time", async () => {
    const { state, device, round, first, start } = bound();
    give(first, round({ body: { source: "sleep 600", mayReboot: true } }), device);
    for (const boot of ["boot two", "boot three", "boot four"]) await start(boot);
    expect(rows(state)).toEqual([{ occurrence: 1, runsLeft: 4, type: "rebooted" }]);
  });

  it("misses nothing and repeats nothing when the clock is set back after a run", async () => {
    const { acme, state, device, round, first } = bound();
    const wait = first.nextReceipt();
    give(first, round(), device);
    await wait;
    acme.clock.now += HOUR;
    await look(first);
    acme.clock.now -= 1.5 * HOUR;
    first.jobs.keysChanged();
    expect(first.jobs.running).toBe(0);
    acme.clock.now += 1.5 * HOUR;
    first.jobs.keysChanged();
    expect(rows(state).map(({ occurrence }) => occurrence)).toEqual([1, 2]);
  });

  it("runs none twice when the clock is set far ahead and back again", async () => {
    const { acme, state, device, round, first } = bound();
    const wait = first.nextReceipt();
    give(first, round(), device);
    await wait;
    acme.clock.now += 3 * HOUR;
    await look(first);
    acme.clock.now -= 3 * HOUR;
    for (let hour = 0; hour < 3; hour++) {
      acme.clock.now += HOUR;
      first.jobs.keysChanged();
    }
    expect(first.jobs.running).toBe(0);
    expect(rows(state).map(({ occurrence, type }) => `${occurrence} ${type}`)).toEqual([
      "1 exited",
      "3 missed",
      "4 exited",
    ]);
  });

  it("waits in the ledger of a device whose owner changes, and is answered once as ended with it", async () => {
    const { acme, state, device, round, first } = bound();
    const wait = first.nextReceipt();
    give(first, round(), device);
    await wait;
    await first.jobs.stop("agent-stop");
    const next = new Tenant({ epoch: 2, supersedes: [acme.id], founder: person("Eve", "admin"), clock: acme.clock });
    bindTo(state, next, { confirmed: true });
    expect(state.all("SELECT job FROM farewell")).toHaveLength(2);
  });
});
