// A signed cancel on a real state with real processes: whatever it names stops, is answered once, and the cancel says how far it had got.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verifyJournal } from "../../agent/state/journal.ts";
import { checkReceiptChain } from "../../protocol/receipt.ts";
import { MAX_LEDGER_JOBS, RESERVED_LEDGER_JOBS } from "../../protocol/limits.ts";
import type { Outcome } from "../../protocol/outcome.ts";
import { DAY, HOUR, MINUTE } from "../cast/clock.ts";
import { type Job, type JobSetup, jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, jobsOn, openState, ownerOf, receiptsOf } from "./bound.ts";

function bound(acme = new Tenant()) {
  const state = openState();
  bindTo(state, acme);
  const device = deviceOf(state);
  const running = jobsOn(state, acme);
  const job = (setup: Partial<JobSetup> = {}) => jobFor({ tenant: acme, devices: [device], ...setup });
  const sleeping = (word: string, body = {}) => job({ word, body: { source: "sleep 600", ...body } });
  const later = (word: string) => job({ word, manifest: { notBefore: acme.clock.now + MINUTE } });
  const cancelOf = (cancels: readonly Job[], setup: Partial<JobSetup> = {}) =>
    job({ word: `cancel ${++made}`, cancels, ...setup });
  const give = (to: Job, on = running) =>
    on.jobs.receive({ envelope: to.envelope, ...to.sealedFor(device) }, { watched: false, asked: false });
  return { acme, state, device, ...running, job, sleeping, later, cancelOf, give };
}
let made = 0;

type State = Parameters<typeof receiptsOf>[0];

function outcomesOf(state: State, { job }: Job): readonly Outcome[] {
  const receipts = receiptsOf(state).filter(({ receipt }) => receipt.job === job);
  return receipts.map(({ receipt }) => receipt.outcome);
}

/** Waits until a job has its answer, which is its only one. */
async function answered(state: State, job: Job): Promise<Outcome> {
  for (let i = 0; i < 500; i++) {
    const [outcome, another] = outcomesOf(state, job);
    if (another !== undefined) throw new Error("two answers");
    if (outcome !== undefined) return outcome;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("no answer");
}

const BY_OPERATOR = { type: "cancelled", by: "operator" };
const doneWith = (...jobs: readonly (readonly [Job, string])[]) => ({
  type: "cancel-done",
  jobs: jobs.map(([{ job }, state]) => ({ job, state })),
});

/** The chain as an operator checks it, and the journal. */
function expectWhole(state: State): void {
  let before = { seq: 0, id: ownerOf(state).enrolment.id };
  for (const { receipt, id } of receiptsOf(state)) {
    checkReceiptChain(before, receipt);
    before = { seq: receipt.seq, id };
  }
  expect(() => verifyJournal(state)).not.toThrow();
}

describe("a cancel", () => {
  it("ends a job that runs, whose receipt says by whom, and has its own receipt after it", async () => {
    const { state, sleeping, cancelOf, give } = bound();
    const long = sleeping("long");
    const cancel = cancelOf([long]);
    give(long);
    expect(give(cancel)).toEqual({ type: "taken" });
    expect(await answered(state, cancel)).toEqual(doneWith([long, "ended"]));
    expect(outcomesOf(state, long)).toEqual([BY_OPERATOR]);
    expect(receiptsOf(state).map(({ receipt }) => receipt.job)).toEqual([long.job, cancel.job]);
    expectWhole(state);
  });

  it("does not wait for a place or a lock that the jobs before it hold", async () => {
    const { state, sleeping, cancelOf, give } = bound();
    const jobs = ["a", "b", "c", "d"].map((word) => sleeping(word, { lock: word }));
    const fifth = sleeping("fifth", { lock: "a" });
    for (const one of [...jobs, fifth]) give(one);
    const [first] = jobs;
    if (first === undefined) throw new Error("no job");
    const cancel = cancelOf([first, fifth]);
    give(cancel);
    expect(await answered(state, cancel)).toEqual(doneWith([first, "ended"], [fifth, "was-waiting"]));
  });

  it("of a job that waits gives it a receipt that says that nothing was started", async () => {
    const { state, acme, later, cancelOf, give } = bound();
    const [waiting, other] = [later("waiting"), later("other")];
    const cancel = cancelOf([waiting]);
    for (const one of [waiting, other, cancel]) give(one);
    expect(await answered(state, cancel)).toEqual(doneWith([waiting, "was-waiting"]));
    const [first] = receiptsOf(state);
    expect(first?.receipt).toMatchObject({ job: waiting.job, outcome: BY_OPERATOR });
    expect(first?.receipt.startedAt).toBeUndefined();
    acme.clock.now += 2 * MINUTE;
    const again = jobsOn(state, acme);
    await again.jobs.recover();
    expect(await answered(state, other)).toEqual({ type: "exited", code: 0 });
    expect(outcomesOf(state, waiting)).toEqual([BY_OPERATOR]);
  });

  it("bars a job that has not come, which is answered when it comes and never runs", async () => {
    const { state, acme, job, cancelOf, give } = bound();
    const mark = join(folder(), "mark");
    const late = job({ word: "late", body: { source: `touch '${mark}'` } });
    const cancel = cancelOf([late]);
    give(cancel);
    expect(await answered(state, cancel)).toEqual(doneWith([late, "barred"]));
    const again = jobsOn(state, acme);
    await again.jobs.recover();
    expect(give(late, again)).toEqual({ type: "taken" });
    expect(await answered(state, late)).toEqual(BY_OPERATOR);
    expect(give(late, again)).toMatchObject({ type: "taken", refused: "job-repeated" });
    expect([existsSync(mark), receiptsOf(state).length]).toEqual([false, 2]);
    expectWhole(state);
  });

  it("leaves a job that had ended as it is", async () => {
    const { state, job, cancelOf, give } = bound();
    const echo = job();
    const cancel = cancelOf([echo]);
    give(echo);
    expect(await answered(state, echo)).toEqual({ type: "exited", code: 0 });
    give(cancel);
    expect(await answered(state, cancel)).toEqual(doneWith([echo, "had-ended"]));
    expect(outcomesOf(state, echo)).toHaveLength(1);
  });

  it("of a job that ended by itself first says so: the first cause wins", async () => {
    const { state, job, cancelOf, give } = bound();
    const short = job({ word: "short", body: { source: "exec sleep 0.2" } });
    const cancel = cancelOf([short]);
    give(short);
    await new Promise((resolve) => setImmediate(resolve));
    // The process has ended, and this program has not heard of it: nothing else runs while it sleeps.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    await new Promise((resolve) => setImmediate(resolve));
    give(cancel);
    expect(await answered(state, cancel)).toEqual(doneWith([short, "had-ended"]));
    expect(outcomesOf(state, short)).toEqual([{ type: "exited", code: 0 }]);
  });

  it("leaves alone what has another statement under the id that it names", async () => {
    const { state, sleeping, cancelOf, give, jobs } = bound();
    const long = sleeping("long");
    const cancel = cancelOf([{ ...long, statement: sleeping("other").statement }]);
    give(long);
    give(cancel);
    expect(await answered(state, cancel)).toEqual(doneWith([long, "other-statement"]));
    expect(jobs.running).toBe(1);
  });

  it("that bars one statement refuses another under its id", async () => {
    const { state, job, cancelOf, give } = bound();
    const [late, other] = [job({ word: "late" }), job({ word: "late", body: { source: "echo other" } })];
    give(cancelOf([late]));
    expect(give(other)).toMatchObject({ type: "taken", refused: "job-id-reused", isAnswered: true });
    expect(outcomesOf(state, other)).toMatchObject([{ type: "refused", code: "job-id-reused" }]);
  });

  it("comes again without being done again", async () => {
    const { state, sleeping, cancelOf, give } = bound();
    const long = sleeping("long");
    const cancel = cancelOf([long]);
    give(long);
    give(cancel);
    await answered(state, cancel);
    expect(give(cancel)).toMatchObject({ type: "taken", refused: "job-repeated" });
    expect(receiptsOf(state)).toHaveLength(2);
  });

  it("is not cancelled by another, not even by one that comes first", async () => {
    const { state, sleeping, cancelOf, give } = bound();
    const long = sleeping("long");
    const first = cancelOf([long]);
    const second = cancelOf([first]);
    for (const one of [long, second, first]) give(one);
    expect(await answered(state, first)).toEqual(doneWith([long, "ended"]));
  });

  it("by somebody who is revoked, or too few, does nothing", () => {
    const tenant = new Tenant({ policy: { jobThresholds: [{ kind: "cancel", class: "any", count: 2 }] } });
    const bob = person("Bob", "admin");
    tenant.add(bob);
    const { sleeping, cancelOf, give, jobs, owned } = bound(tenant);
    const long = sleeping("long");
    give(long);
    expect(give(cancelOf([long]))).toMatchObject({ refused: "signers-few" });
    tenant.revoke(bob);
    owned.keyState = tenant.state;
    expect(give(cancelOf([long], { signers: [bob.signer] }))).toMatchObject({ refused: "signer-revoked" });
    expect(give(cancelOf([long], { signers: [person("Mallory").signer] }))).toMatchObject({
      refused: "signer-unknown",
    });
    expect(jobs.running).toBe(1);
  });
});

describe("two cancels of one job", () => {
  it("both wait for its end and both say that it was ended", async () => {
    const { state, sleeping, cancelOf, give } = bound();
    const long = sleeping("long");
    const cancels = [cancelOf([long]), cancelOf([long])];
    for (const one of [long, ...cancels]) give(one);
    for (const one of cancels) expect(await answered(state, one)).toEqual(doneWith([long, "ended"]));
    expect(outcomesOf(state, long)).toEqual([BY_OPERATOR]);
  });
});

describe("an agent that goes down while a cancel waits for a job's end", () => {
  it("says lost of the job, and the cancel is answered with that", async () => {
    const { state, acme, sleeping, later, cancelOf, give } = bound();
    const [long, waiting] = [sleeping("long"), later("waiting")];
    const cancel = cancelOf([long, waiting]);
    for (const one of [long, waiting, cancel]) give(one);
    const after = jobsOn(state, acme);
    await after.jobs.recover();
    expect(outcomesOf(state, long)).toEqual([{ type: "lost" }]);
    expect(outcomesOf(state, waiting)).toEqual([BY_OPERATOR]);
    expect(await answered(state, cancel)).toEqual(doneWith([long, "lost"], [waiting, "was-waiting"]));
    expect(state.all("SELECT job FROM cancelling")).toEqual([]);
  });

  it("gives it to its owner before another one takes the device", async () => {
    const { state, acme, sleeping, cancelOf, give } = bound();
    const long = sleeping("long");
    const cancel = cancelOf([long]);
    give(long);
    give(cancel);
    const next = new Tenant({ clock: acme.clock, epoch: 2, supersedes: [acme.id], founder: person("Eve", "admin") });
    bindTo(state, next, { confirmed: true });
    const last = state.all("SELECT job FROM farewell ORDER BY seq").map((row) => row["job"]);
    expect(last).toEqual([long.job, cancel.job]);
    expect(["ledger", "barred", "cancelling"].flatMap((table) => state.all(`SELECT * FROM ${table}`))).toEqual([]);
  });
});

describe("what is barred", () => {
  it("is forgotten once signed times have passed its end, and not by the clock alone", async () => {
    const { state, acme, job, cancelOf, give } = bound();
    const late = job({ word: "late" });
    give(cancelOf([late]));
    acme.clock.now += 2 * DAY;
    const again = jobsOn(state, acme);
    await again.jobs.recover();
    expect(state.all("SELECT job FROM barred")).toHaveLength(1);
    const young = job({ word: "new" });
    give(young);
    expect(await answered(state, young)).toEqual({ type: "exited", code: 0 });
    expect(state.all("SELECT job FROM barred")).toEqual([]);
  });

  it("is told from what can run no more anyway", async () => {
    const { state, acme, job, cancelOf, give } = bound();
    const old = job({ word: "old" });
    acme.clock.now += 2 * DAY;
    const cancel = cancelOf([old]);
    give(cancel);
    expect(await answered(state, cancel)).toEqual(doneWith([old, "expired"]));
  });

  it("is told from what ran and was forgotten: its receipt is still known", async () => {
    const { state, acme, job, cancelOf, give } = bound();
    const old = job({ word: "old" });
    give(old);
    await answered(state, old);
    acme.clock.now += 2 * DAY;
    const young = job({ word: "young" });
    give(young);
    await answered(state, young);
    const cancel = cancelOf([old]);
    give(cancel);
    expect(state.get("SELECT 1 FROM ledger WHERE job = ?", old.job)).toBeUndefined();
    expect(await answered(state, cancel)).toEqual(doneWith([old, "had-ended"]));
  });

  it("that was refused with a receipt before gets no second one when it comes again", async () => {
    const { state, acme, job, cancelOf, give } = bound();
    const early = job({
      word: "early",
      manifest: { issuedAt: acme.clock.now + HOUR, notBefore: acme.clock.now + HOUR },
    });
    expect(give(early)).toMatchObject({ refused: "job-not-yet", isAnswered: true });
    const cancel = cancelOf([early]);
    give(cancel);
    expect(await answered(state, cancel)).toEqual(doneWith([early, "had-ended"]));
    acme.clock.now += HOUR;
    expect(give(early)).toMatchObject({ refused: "job-repeated", isAnswered: false });
    expect(outcomesOf(state, early)).toMatchObject([{ type: "refused", code: "job-not-yet" }]);
  });

  it("never makes a full ledger forget: the cancel says what it had no room for, and ends what runs", async () => {
    const { state, acme, job, sleeping, cancelOf, give } = bound();
    const long = sleeping("long");
    give(long);
    state.run(
      `INSERT INTO ledger (job, statement, state, accepted, not_before, expires_at, boot_id, may_reboot)
       WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       SELECT 'job ' || i, 'statement', 'finished', i, 0, ?, 'boot one', 0 FROM n`,
      MAX_LEDGER_JOBS - RESERVED_LEDGER_JOBS,
      acme.clock.now + DAY,
    );
    const [late, another] = [job({ word: "late" }), job({ word: "another" })];
    const cancel = cancelOf([long, late]);
    expect(give(another)).toMatchObject({ refused: "ledger-full" });
    give(cancel);
    expect(await answered(state, cancel)).toEqual(doneWith([long, "ended"], [late, "no-room"]));
  });
});
