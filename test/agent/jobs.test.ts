// From a delivery to a receipt on a real state with real processes: each job once, each refusal with its code.
import { describe, expect, it } from "vitest";
import { verifyJournal } from "../../agent/state/journal.ts";
import { openOutput } from "../../protocol/output.ts";
import { checkReceiptChain } from "../../protocol/receipt.ts";
import type { Policy } from "../../protocol/policy.ts";
import { DAY, HOUR, MINUTE } from "../cast/clock.ts";
import { type Job, type JobSetup, jobFor } from "../cast/job.ts";
import { person, raw } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, jobsOn, openState, ownerOf, receiptsOf } from "./bound.ts";

function boundWith(policy: Partial<Policy>) {
  const { jobs, ...rest } = bound(new Tenant({ policy }));
  return { ...rest, on: { jobs, ...rest } };
}

function bound(acme = new Tenant()) {
  const state = openState();
  bindTo(state, acme);
  const device = deviceOf(state);
  const running = jobsOn(state, acme);
  const job = (setup: Partial<JobSetup> = {}) => jobFor({ tenant: acme, devices: [device], ...setup });
  const give = (to: Job, on = running) =>
    on.jobs.receive({ envelope: to.envelope, ...to.sealedFor(device) }, { watched: false, asked: false });
  const done = async (to: Job) => {
    const receipt = running.nextReceipt();
    give(to);
    await receipt;
  };
  return { acme, state, device, ...running, job, give, done };
}

const outcomes = (state: Parameters<typeof receiptsOf>[0]) => receiptsOf(state).map(({ receipt }) => receipt.outcome);

describe("a signed job", () => {
  it("runs once and is answered with a receipt whose output its reader can open", async () => {
    const { state, acme, job, done } = bound();
    const echo = job();
    await done(echo);
    const [first] = receiptsOf(state);
    if (first === undefined) throw new Error("no receipt");
    expect(first.receipt).toMatchObject({
      seq: 1,
      prev: ownerOf(state).enrolment.id,
      job: echo.job,
      statement: echo.statement,
      outcome: { type: "exited", code: 0 },
    });
    const row = state.get("SELECT result FROM receipt");
    if (!(row?.["result"] instanceof Uint8Array)) throw new Error("no result");
    const [stdout] = openOutput(row["result"], {
      receipt: first.receipt,
      readers: [raw(acme.founder.sealing)],
      pair: acme.founder.sealing,
    });
    expect(new TextDecoder().decode(stdout?.head)).toBe("hello\n");
  });

  it("is not run again when it comes again, and gets no second receipt", async () => {
    const { state, job, done, give } = bound();
    const echo = job();
    await done(echo);
    expect(give(echo)).toMatchObject({ type: "taken", refused: "job-repeated" });
    expect(receiptsOf(state)).toHaveLength(1);
  });

  it("gets no second receipt when it comes again after its end", async () => {
    const { state, acme, job, done, give } = bound();
    const echo = job();
    await done(echo);
    acme.clock.now += 2 * DAY;
    expect(give(echo)).toEqual({ type: "taken", refused: "job-expired", isAnswered: false });
    expect(outcomes(state)).toEqual([{ type: "exited", code: 0 }]);
  });

  it("gets no receipt of a refusal while it waits for its turn", () => {
    const { state, acme, job, give } = bound();
    const later = job({ manifest: { notBefore: acme.clock.now + MINUTE } });
    give(later);
    acme.clock.now += 2 * DAY;
    expect(give(later)).toEqual({ type: "taken", refused: "job-expired", isAnswered: false });
    expect(outcomes(state)).toEqual([]);
  });

  it("chains its receipt to the one before", async () => {
    const { state, job, done } = bound();
    await done(job({ word: "one" }));
    await done(job({ word: "two" }));
    const [one, two] = receiptsOf(state);
    if (one === undefined || two === undefined) throw new Error("two receipts expected");
    expect(() => checkReceiptChain({ seq: 1, id: one.id }, two.receipt)).not.toThrow();
    expect(verifyJournal(state).to).toEqual(two.receipt.journal);
  });

  it("waits for its time, and its place in the queue survives a restart", async () => {
    const { state, acme, job, give } = bound();
    give(job({ manifest: { notBefore: acme.clock.now + MINUTE } }));
    expect(receiptsOf(state)).toHaveLength(0);
    acme.clock.now += 2 * MINUTE;
    const again = jobsOn(state, acme);
    const receipt = again.nextReceipt();
    await again.jobs.recover();
    await receipt;
    expect(outcomes(state)).toEqual([{ type: "exited", code: 0 }]);
  });

  it("ends as expired when its time passes before its turn", async () => {
    const { state, acme, job, give } = bound();
    give(job({ manifest: { notBefore: acme.clock.now + MINUTE } }));
    acme.clock.now += 2 * DAY;
    await jobsOn(state, acme).jobs.recover();
    expect(outcomes(state)).toEqual([{ type: "expired" }]);
  });

  it("that was running when the agent went down is lost, and never run again", async () => {
    const { state, acme, job, give } = bound();
    const long = job({ body: { source: "sleep 600" } });
    give(long);
    const after = jobsOn(state, acme);
    await after.jobs.recover();
    expect(outcomes(state)).toEqual([{ type: "lost" }]);
    expect(give(long, after)).toMatchObject({ type: "taken", refused: "job-repeated" });
  });

  it("that said it may restart the device ends as rebooted after a restart, and as lost without one", async () => {
    for (const [bootId, type] of [
      ["boot two", "rebooted"],
      ["boot one", "lost"],
    ] as const) {
      const { state, acme, job, give } = bound();
      give(job({ body: { source: "sleep 600", mayReboot: true } }));
      await jobsOn(state, acme, { bootId }).jobs.recover();
      expect(outcomes(state)).toEqual([{ type }]);
    }
  });

  it("is ended with a receipt when the agent is stopped", async () => {
    const { state, jobs, job, give } = bound();
    give(job({ body: { source: "sleep 600" } }));
    await jobs.stop("agent-stop");
    expect(outcomes(state)).toEqual([{ type: "cancelled", by: "agent-stop" }]);
  });

  it("runs beside three others, and the fifth waits its turn", async () => {
    const { state, job, give, jobs } = bound();
    for (const word of ["a", "b", "c", "d"]) give(job({ word, body: { source: "sleep 600" } }));
    give(job({ word: "fifth" }));
    expect(jobs.running).toBe(4);
    expect(state.all("SELECT state FROM ledger ORDER BY accepted").map((row) => row["state"])).toEqual([
      "started",
      "started",
      "started",
      "started",
      "waiting",
    ]);
  });

  it("runs beside as many others as the policy that the device knows allows", () => {
    const { acme, state, job, give, on } = boundWith({ maxRunningJobs: 2 });
    for (const word of ["a", "b", "c"]) give(job({ word, body: { source: "sleep 600" } }));
    expect(on.jobs.running).toBe(2);
    acme.setPolicy({ maxRunningJobs: 3 });
    on.owned.keyState = acme.state;
    on.jobs.keysChanged();
    expect(state.all("SELECT state FROM ledger WHERE state = 'started'")).toHaveLength(3);
  });

  it("waits for its window on the device's own clock, lets others pass, and begins when it opens", async () => {
    const { state, acme, job, give, jobs, nextReceipt } = bound();
    const at = new Date(acme.clock.now + HOUR);
    const from = `${String(at.getHours()).padStart(2, "0")}:00`;
    const window = { days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from, to: from.replace(":00", ":59") };
    give(job({ word: "night", body: { window } }));
    expect(jobs.running).toBe(0);
    const other = nextReceipt();
    give(job({ word: "other" }));
    await other;
    acme.clock.now += HOUR;
    const opened = nextReceipt();
    jobs.keysChanged();
    await opened;
    expect(outcomes(state)).toHaveLength(2);
  });

  it("ends as expired when its end comes before its window", () => {
    const { state, acme, job, give, jobs } = bound();
    const never = { days: ["sun"], from: "03:00", to: "03:01" };
    give(job({ manifest: { expiresAt: acme.clock.now + HOUR }, body: { window: never } }));
    acme.clock.now += HOUR;
    jobs.keysChanged();
    expect(outcomes(state)).toEqual([{ type: "expired" }]);
  });

  it("is judged by its body, not by what the ledger notes of it for the order", async () => {
    const { state, job, give, jobs, acme } = bound();
    give(job({ word: "holds", body: { source: "sleep 600", lock: "apt" } }));
    give(job({ word: "wants", body: { lock: "apt" } }));
    state.run("UPDATE ledger SET lock = NULL WHERE state = 'waiting'");
    const again = jobsOn(state, acme);
    await again.jobs.recover();
    give(job({ word: "holds too", body: { source: "sleep 600", lock: "apt" } }), again);
    expect([jobs.running, again.jobs.running]).toEqual([1, 1]);
  });

  it("of one lock runs after the other", async () => {
    const { state, job, give, jobs } = bound();
    give(job({ word: "first", body: { source: "sleep 600", lock: "apt" } }));
    give(job({ word: "second", body: { lock: "apt" } }));
    expect(jobs.running).toBe(1);
    expect(state.all("SELECT state FROM ledger ORDER BY accepted").map((row) => row["state"])).toEqual([
      "started",
      "waiting",
    ]);
  });
});

describe("a job that must not run", () => {
  it("is refused with a signed receipt once a valid signature stands under it, and only one", () => {
    const { state, acme, job, give } = bound();
    const expired = job({
      manifest: {
        issuedAt: acme.clock.now - 2 * DAY,
        notBefore: acme.clock.now - 2 * DAY,
        expiresAt: acme.clock.now - DAY,
      },
    });
    expect(give(expired)).toEqual({ type: "taken", refused: "job-expired", isAnswered: true });
    expect(give(expired)).toEqual({ type: "taken", refused: "job-expired", isAnswered: false });
    expect(outcomes(state)).toEqual([expect.objectContaining({ type: "refused", code: "job-expired" })]);
  });

  it("does not run when it comes again and would be taken by now: its receipt says that it did not", () => {
    const { state, acme, job, give } = bound();
    const early = job({ manifest: { issuedAt: acme.clock.now + HOUR, notBefore: acme.clock.now + HOUR } });
    expect(give(early)).toMatchObject({ refused: "job-not-yet", isAnswered: true });
    acme.clock.now += 2 * HOUR;
    expect(give(early)).toEqual({ type: "taken", refused: "job-repeated", isAnswered: false });
    expect(outcomes(state)).toMatchObject([{ type: "refused", code: "job-not-yet" }]);
  });

  it("by an unknown key is noted in the journal and not answered", () => {
    const { state, job, give } = bound();
    expect(give(job({ signers: [person("Mallory").signer] }))).toMatchObject({
      type: "taken",
      refused: "signer-unknown",
    });
    expect(receiptsOf(state)).toHaveLength(0);
    expect(state.get("SELECT entry FROM journal ORDER BY seq DESC LIMIT 1")?.["entry"]).toContain("signer-unknown");
  });

  it("fills neither journal nor outbox when it comes a thousand times", () => {
    const { state, job, give } = bound();
    const foreign = job({ signers: [person("Mallory").signer] });
    for (let i = 0; i < 1000; i++) give(foreign);
    expect(verifyJournal(state).to.seq).toBeLessThan(20);
  });

  it("is refused for a body that was exchanged", () => {
    const { state, device, jobs, job } = bound();
    const [one, other] = [job({ word: "one" }), job({ word: "other" })];
    const verdict = jobs.receive(
      { envelope: one.envelope, ...other.sealedFor(device) },
      { watched: false, asked: false },
    );
    expect(verdict).toMatchObject({ type: "taken", refused: "body-sealed" });
    expect(outcomes(state)).toEqual([{ type: "refused", code: "body-sealed" }]);
  });

  it("is refused before it is claimed when its interpreter is missing", () => {
    const { state, job, give } = bound();
    expect(give(job({ body: { shell: "pwsh", source: "1" } }))).toMatchObject({
      type: "taken",
      refused: "shell-absent",
    });
    expect(state.all("SELECT job FROM ledger")).toEqual([]);
  });

  it("for a user who is not here is answered with a refusal when its turn comes, and nothing says that it started", async () => {
    const { state, job, done } = bound();
    await done(job({ body: { user: { as: "user", name: "nobody-by-this-name" } } }));
    const receipts = receiptsOf(state).map(({ receipt }) => receipt);
    expect(receipts).toMatchObject([
      { outcome: { type: "refused", code: "user-absent" }, contained: "yes", output: [] },
    ]);
    const [receipt = {}] = receipts;
    expect(["startedAt", "interpreter"].filter((field) => field in receipt)).toEqual([]);
  });

  it("runs and is answered with its interpreter's version, once that is known", async () => {
    const { state, job, done } = bound();
    await done(job({ word: "first", body: { shell: "bash", source: "sleep 0.3" } }));
    expect(receiptsOf(state).map(({ receipt }) => receipt.interpreterVersion)).toEqual([
      expect.stringMatching(/^[0-9]+\./),
    ]);
  });

  it("waits in the ledger, is dropped when its signer is revoked, and says so", async () => {
    const acme = new Tenant();
    const bob = person("Bob", "admin");
    acme.add(bob);
    const state = openState();
    bindTo(state, acme);
    const device = deviceOf(state);
    const { jobs } = jobsOn(state, acme);
    const waiting = jobFor({
      tenant: acme,
      devices: [device],
      signers: [bob.signer],
      manifest: { notBefore: acme.clock.now + MINUTE },
    });
    jobs.receive({ envelope: waiting.envelope, ...waiting.sealedFor(device) }, { watched: false, asked: false });
    acme.revoke(bob);
    acme.clock.now += 2 * MINUTE;
    const again = jobsOn(state, acme);
    again.owned.keyState = acme.state;
    await again.jobs.recover();
    expect(outcomes(state)).toEqual([{ type: "cancelled", by: "key-revoked" }]);
  });
});

it("asks for the key log when the signer knows more of it, and refuses when it cannot be had", () => {
  const { acme, device, jobs } = bound();
  acme.add(person("Bob"));
  const ahead = jobFor({ tenant: acme, devices: [device] });
  const delivery = { envelope: ahead.envelope, ...ahead.sealedFor(device) };
  expect(jobs.receive(delivery, { watched: false, asked: false })).toEqual({ type: "behind", seq: 1 });
  expect(jobs.receive(delivery, { watched: false, asked: true })).toMatchObject({
    type: "taken",
    refused: "job-log-unknown",
  });
});

it("does not believe a clock that was set back behind what was signed and seen", async () => {
  const { state, acme, device, done, job, give } = bound();
  const old = jobFor({
    tenant: acme,
    devices: [device],
    word: "old",
    manifest: { expiresAt: acme.clock.now + MINUTE },
  });
  acme.clock.now += 2 * DAY;
  await done(job({ word: "new" }));
  acme.clock.now -= 2 * DAY;
  expect(give(old)).toMatchObject({ type: "taken", refused: "job-expired" });
  expect(receiptsOf(state).map(({ receipt }) => receipt.clock)).toEqual(["ok", "behind"]);
});

it("runs nothing twice when the clock is set ahead, past a job's end, and back again", async () => {
  const { state, acme, done, job, give } = bound();
  const short = job({ word: "short" });
  const long = job({ word: "long", manifest: { expiresAt: acme.clock.now + 25 * DAY } });
  await done(short);
  acme.clock.now += 20 * DAY;
  await done(long);
  acme.clock.now -= 20 * DAY;
  expect(give(short)).toMatchObject({ type: "taken", refused: "job-repeated" });
  expect(receiptsOf(state)).toHaveLength(2);
});

it("forgets a job once signed times have passed its end", async () => {
  const { state, acme, done, job } = bound();
  await done(job({ word: "old" }));
  acme.clock.now += 2 * DAY;
  await done(job({ word: "new" }));
  expect(state.all("SELECT job FROM ledger")).toHaveLength(1);
});

/** From here on the database may not grow. */
function fill(state: ReturnType<typeof openState>): void {
  const pages = state.get("PRAGMA page_count")?.["page_count"];
  state.run(`PRAGMA max_page_count = ${Number(pages)}`);
}

describe("on a full disk", () => {
  it("takes no job that it cannot claim, and runs nothing of it", () => {
    const { state, job, give } = bound();
    fill(state);
    const large = job({ body: { source: `: ${"x".repeat(200_000)}` }, manifest: { notBefore: Date.UTC(2026, 0, 6) } });
    expect(() => give(large)).toThrow(expect.objectContaining({ code: "disk-full" }));
    state.run("PRAGMA max_page_count = 1000000");
    expect(give(large)).toEqual({ type: "taken" });
  });

  it("keeps a job's answer until there is room for it", async () => {
    const { state, job, give, nextReceipt, faults } = bound();
    const receipt = nextReceipt();
    give(job({ body: { source: "sleep 0.3; head -c 300000 /dev/zero" } }));
    fill(state);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(receiptsOf(state)).toHaveLength(0);
    state.run("PRAGMA max_page_count = 1000000");
    await receipt;
    expect(outcomes(state)).toEqual([{ type: "exited", code: 0 }]);
    expect(faults).toEqual([]);
  });
});
