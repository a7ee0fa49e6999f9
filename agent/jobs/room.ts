// Whether this device can take one more job: what it must remember and still has to send is bounded.
import { MAX_LEDGER_JOBS, RESERVED_LEDGER_JOBS } from "../../protocol/limits.ts";
import { refuse } from "../../protocol/refusal.ts";
import { outboxLoad } from "../answers/outbox.ts";
import { MAX_OUTBOX_BYTES, MAX_OUTBOX_RECEIPTS } from "../limits.ts";
import type { State } from "../state/state.ts";
import { countJobs } from "./ledger.ts";

/** Jobs that are no cancels. */
const MAX_OTHER_JOBS = MAX_LEDGER_JOBS - RESERVED_LEDGER_JOBS;

/** Throws `ledger-full`: rather no job than a job forgotten or an answer lost. */
export function checkRoom(state: State): void {
  if (countJobs(state) >= MAX_OTHER_JOBS) throw refuse("ledger-full", `${MAX_OTHER_JOBS} jobs`);
  if (!hasOutboxRoom(state)) {
    throw refuse("ledger-full", `${outboxLoad(state).receipts} receipts wait for the relay`);
  }
}

/** The same for a cancel, which brings one answer of its own; those of the jobs that it ends are owed anyway. */
export function checkCancelRoom(state: State): void {
  if (countJobs(state) >= MAX_LEDGER_JOBS) throw refuse("ledger-full", `${MAX_LEDGER_JOBS} jobs`);
}

/** Whether one more job can be remembered that may not run when it comes; the reserve is for cancels themselves. */
export function hasBarRoom(state: State): boolean {
  return countJobs(state) < MAX_OTHER_JOBS;
}

/** Whether another answer may be owed. A job that comes round waits while there is none: what it takes is accepted already. */
export function hasOutboxRoom(state: State): boolean {
  const { receipts, bytes } = outboxLoad(state);
  return receipts < MAX_OUTBOX_RECEIPTS && bytes < MAX_OUTBOX_BYTES;
}
