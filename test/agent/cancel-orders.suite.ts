// Whatever comes in whatever order: jobs, cancels, both again, restarts of the agent, time. Each job runs at most once and has at most
// one answer, nothing that was cancelled before it began has run, and each cancel that was taken is answered once.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { verifyJournal } from "../../agent/state/journal.ts";
import { checkReceiptChain } from "../../protocol/receipt.ts";
import { MINUTE } from "../cast/clock.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, jobsOn, openState, ownerOf, receiptsOf } from "./bound.ts";

const WORDS = ["quick", "other", "long", "later"] as const;

type Act =
  | { readonly type: "give"; readonly job: number }
  | { readonly type: "cancel"; readonly cancel: number }
  | { readonly type: "restart" }
  | { readonly type: "minute" }
  | { readonly type: "wait"; readonly ms: number };

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ type: fc.constant("give" as const), job: fc.integer({ min: 0, max: WORDS.length - 1 }) }),
  fc.record({ type: fc.constant("cancel" as const), cancel: fc.integer({ min: 0, max: 2 }) }),
  fc.constant({ type: "restart" } as const),
  fc.constant({ type: "minute" } as const),
  fc.record({ type: fc.constant("wait" as const), ms: fc.constantFrom(0, 5, 40) }),
);

function scene() {
  const acme = new Tenant();
  const state = openState();
  bindTo(state, acme);
  const device = deviceOf(state);
  const marks = join(folder(), "marks");
  const jobs = WORDS.map((word) =>
    jobFor({
      tenant: acme,
      devices: [device],
      word,
      body: { source: `echo ${word} >> '${marks}'${word === "long" ? "; sleep 600" : ""}` },
      ...(word === "later" ? { manifest: { notBefore: acme.clock.now + MINUTE } } : {}),
    }),
  );
  const cancelOf = (word: string, cancels: readonly Job[]) =>
    jobFor({ tenant: acme, devices: [device], word, cancels });
  const cancels = [cancelOf("all", jobs), cancelOf("some", jobs.slice(1, 3)), cancelOf("last", jobs.slice(3))];
  const delivery = (job: Job) => ({ envelope: job.envelope, ...job.sealedFor(device) });
  return { acme, state, marks, jobs, cancels, delivery };
}

async function play(acts: readonly Act[]): Promise<void> {
  const { acme, state, marks, jobs, cancels, delivery } = scene();
  let on = jobsOn(state, acme);
  const give = (job: Job | undefined) => {
    if (job !== undefined) on.jobs.receive(delivery(job), { watched: false, asked: false });
  };
  for (const one of acts) {
    if (one.type === "give") give(jobs[one.job]);
    if (one.type === "cancel") give(cancels[one.cancel]);
    if (one.type === "minute") acme.clock.now += MINUTE;
    if (one.type === "wait") await new Promise((resolve) => setTimeout(resolve, one.ms));
    if (one.type !== "restart") continue;
    // The one before is as good as dead: it finds every job that it ran answered already.
    on = jobsOn(state, acme);
    await on.jobs.recover();
  }
  await on.jobs.stop("agent-stop");
  check(state, { marks, jobs, cancels, acts });
}

type Played = Pick<ReturnType<typeof scene>, "marks" | "jobs" | "cancels"> & { readonly acts: readonly Act[] };

function check(state: ReturnType<typeof openState>, { marks, jobs, cancels, acts }: Played): void {
  const receipts = receiptsOf(state);
  let before = { seq: 0, id: ownerOf(state).enrolment.id };
  for (const { receipt, id } of receipts) {
    checkReceiptChain(before, receipt);
    before = { seq: receipt.seq, id };
  }
  verifyJournal(state);
  expect(new Set(receipts.map(({ receipt }) => receipt.job)).size).toBe(receipts.length);
  const lines = existsSync(marks) ? readFileSync(marks, "utf8").trim().split("\n") : [];
  expect(new Set(lines).size).toBe(lines.length);
  for (const [at, job] of jobs.entries()) {
    const answer = receipts.find(({ receipt }) => receipt.job === job.job)?.receipt;
    const hasBegun = lines.includes(WORDS[at] ?? "");
    expect(hasBegun && answer !== undefined && answer.startedAt === undefined).toBe(false);
  }
  const given = new Set(acts.flatMap((one) => (one.type === "cancel" ? [cancels[one.cancel]?.job] : [])));
  const done = receipts.filter(({ receipt }) => receipt.outcome.type === "cancel-done");
  expect(new Set(done.map(({ receipt }) => receipt.job))).toEqual(given);
  expect(state.all("SELECT * FROM cancelling")).toEqual([]);
}

it("answers everything at most once and runs nothing that was cancelled first", { timeout: 300_000 }, async () => {
  let played = 0;
  const property = fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 14 }), async (acts) => {
    await play(acts);
    played += 1;
  });
  await fc.assert(property, { numRuns: 150 });
  expect(played).toBe(150);
});
