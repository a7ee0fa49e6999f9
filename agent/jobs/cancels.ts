// Cancels in the ledger: what a signed cancel does to the jobs that it names, all inside the caller's transactions.
import * as v from "valibot";
import type { CancelledJob } from "../../protocol/cancel-body.ts";
import { CancelState, type Outcome } from "../../protocol/outcome.ts";
import type { VerifiedJob } from "../../protocol/verify-job.ts";
import { bar, barredStatement, unbar } from "./barred.ts";
import { claim, type Delivery, entryOf, finish, PLAIN } from "./ledger.ts";
import { endAfterThis, endJob } from "./occurrences.ts";
import { type Answer, answer, hasReceipt, type Standing } from "../answers/outbox.ts";
import { textOf } from "../state/row.ts";
import { hasBarRoom } from "./room.ts";
import type { State } from "../state/state.ts";

//   accept cancel:  not come --> barred     waiting --> finished     started --> noted as running
//   finish job:     the last that was running has its receipt --> the cancel has its own, in the same transaction
//
// So a crash leaves a cancel that was not accepted, which comes again, or one whose running jobs are `lost`, which a start answers.

export type Cancel = { readonly job: string; readonly statement: string; readonly jobs: readonly CancelledJob[] };

/** Which jobs the caller has to take out of its queue, and which to end, once this is on the disk. */
export type Cancelled = { readonly waited: readonly string[]; readonly running: readonly string[] };

const BY_OPERATOR: Outcome = { type: "cancelled", by: "operator" };

/** Does an accepted cancel as far as that can be done here; its receipt is made now, or with that of the last running job. */
export function carryOut(state: State, standing: Standing, { job: cancel, statement, jobs }: Cancel): Cancelled {
  const states = jobs.map((one) => stop(state, standing, one));
  for (const [place, one] of jobs.entries()) {
    state.run(
      "INSERT INTO cancelling (cancel, statement, place, job, state) VALUES (?, ?, ?, ?, ?)",
      cancel,
      statement,
      place,
      one.job,
      states[place] ?? "other-statement",
    );
  }
  answerDone(state, standing);
  const inState = (wanted: string) => jobs.flatMap(({ job }, at) => (states[at] === wanted ? [job] : []));
  return { waited: inState("was-waiting"), running: inState("running") };
}

function stop(state: State, standing: Standing, one: CancelledJob): CancelState | "running" {
  const { job, statement } = one;
  const entry = entryOf(state, job);
  if (entry === undefined) return barNew(state, standing, one);
  if (entry.statement !== statement) return "other-statement";
  if (entry.state === "finished") return "had-ended";
  if (isOpenCancel(state, job)) return "is-cancel";
  if (entry.state === "started") {
    endAfterThis(state, job);
    return "running";
  }
  const say = (given: Answer) => void answer(state, standing, given);
  endJob(state, { job, statement, outcome: BY_OPERATOR, contained: "yes" }, say);
  return "was-waiting";
}

function barNew(state: State, { owner, time }: Standing, one: CancelledJob): CancelState {
  const before = barredStatement(state, one.job);
  if (before !== undefined && before !== one.statement) return "other-statement";
  const isPast = one.expiresAt <= Math.max(time, owner.floor);
  const hasRoom = before !== undefined || hasBarRoom(state);
  if (hasRoom) bar(state, one);
  if (!hasRoom && !isPast) return "no-room";
  // Refused before, or forgotten since: what has its answer had its end, and is barred all the same.
  if (hasReceipt(state, one.job)) return "had-ended";
  return isPast ? "expired" : "barred";
}

/** A barred job has come: it goes through the ledger to its receipt, and nothing of it begins. */
export function answerBarred(
  state: State,
  standing: Standing,
  { job, delivery }: { job: VerifiedJob; delivery: Delivery },
): void {
  const { statement } = job;
  const { job: id } = job.manifest;
  unbar(state, id);
  claim(state, job, { delivery, bootId: standing.bootId, startedAt: undefined, body: PLAIN });
  const say = (given: Answer) => void answer(state, standing, given);
  endJob(state, { job: id, statement, outcome: BY_OPERATOR, contained: "yes" }, say);
}

/** A job has ended: cancels that waited for it learn how, and those that wait for no other get their receipts. */
export function noteEnded(state: State, standing: Standing, { job, outcome }: { job: string; outcome: Outcome }): void {
  state.run("UPDATE cancelling SET state = ? WHERE job = ? AND state = 'running'", stateAfter(outcome), job);
  answerDone(state, standing);
}

/** The first cause of a job's end counts: one that ended by itself had ended, however near the cancel came. */
function stateAfter({ type }: Outcome): CancelState {
  if (type === "cancelled") return "ended";
  return type === "lost" || type === "rebooted" ? "lost" : "had-ended";
}

function answerDone(state: State, standing: Standing): void {
  const done = state.all(
    "SELECT cancel, statement FROM cancelling GROUP BY cancel HAVING SUM(state = 'running') = 0 ORDER BY cancel",
  );
  for (const row of done) {
    const [job, statement] = [textOf(row, "cancel"), textOf(row, "statement")];
    const outcome: Outcome = { type: "cancel-done", jobs: [...statesOf(state, job)] };
    if (finish(state, job)) answer(state, standing, { job, statement, outcome, contained: "yes" });
    state.run("DELETE FROM cancelling WHERE cancel = ?", job);
  }
}

function statesOf(state: State, cancel: string): readonly { job: string; state: CancelState }[] {
  return state
    .all("SELECT job, state FROM cancelling WHERE cancel = ? ORDER BY place", cancel)
    .map((row) => ({ job: textOf(row, "job"), state: v.parse(CancelState, textOf(row, "state")) }));
}

function isOpenCancel(state: State, job: string): boolean {
  return state.get("SELECT 1 FROM cancelling WHERE cancel = ?", job) !== undefined;
}
