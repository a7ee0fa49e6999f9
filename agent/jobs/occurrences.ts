// The occurrences of a job that runs several times, in the ledger: each begins at most once, and is answered by its own receipt or by
// that of the range of missed ones in which it is (SPEC 8.7). A job that runs once is the plain case of the same steps.
import { newestDue } from "../../protocol/runs.ts";
import type { Answer } from "../answers/outbox.ts";
import type { State } from "../state/state.ts";
import { awaitOccurrence, begin, finish, type Recurrence, recurrenceOf } from "./ledger.ts";

/** Writes a receipt, inside the caller's transaction. */
export type Say = (given: Answer) => void;

type Of = Pick<Answer, "job" | "statement">;

/**
 * A waiting job begins, inside the caller's transaction: of several occurrences that are due the newest, and the others were
 * missed. Answers whether it may run: nothing else may be run.
 */
export function beginRun(
  state: State,
  of: Of,
  { bootId, now, say }: { readonly bootId: string; readonly now: number; readonly say: Say },
): boolean {
  const recurrence = recurrenceOf(state, of.job);
  if (recurrence === undefined) return begin(state, of.job, { bootId, startedAt: now });
  const occurrence = newestDue(recurrence, now);
  if (!begin(state, of.job, { bootId, startedAt: now, occurrence })) return false;
  if (occurrence > recurrence.occurrence) {
    say(missed(of, recurrence, { from: recurrence.occurrence, to: occurrence - 1, why: "late" }));
  }
  return true;
}

/**
 * What ran has ended, inside the caller's transaction: its receipt, and what follows. `liveUntil`: the agent saw it end then, so
 * that occurrences that had become due were passed over because this one was running. Answers whether it had not ended before.
 */
export function endRun(
  state: State,
  given: Answer,
  { say, liveUntil }: { readonly say: Say; readonly liveUntil?: number | undefined },
): boolean {
  const recurrence = recurrenceOf(state, given.job);
  if (recurrence === undefined) {
    const wasOpen = finish(state, given.job);
    if (wasOpen) say(given);
    return wasOpen;
  }
  const { occurrence, runs } = recurrence;
  const passedOver = liveUntil === undefined ? 0 : newestDue(recurrence, liveUntil);
  const next = Math.max(occurrence, passedOver) + 1;
  const wasRunning = next > runs.count ? finish(state, given.job) : awaitOccurrence(state, given.job, next);
  if (!wasRunning) return false;
  say({ ...given, run: { occurrence, runsLeft: runs.count - occurrence } });
  if (passedOver > occurrence) {
    say(missed(given, recurrence, { from: occurrence + 1, to: passedOver, why: "running" }));
  }
  return true;
}

/** A job ends with everything that it still had to come, inside the caller's transaction. Whether it had not ended before. */
export function endJob(state: State, given: Answer, say: Say): boolean {
  const recurrence = recurrenceOf(state, given.job);
  const wasOpen = finish(state, given.job);
  if (!wasOpen) return false;
  say(recurrence === undefined ? given : { ...given, run: { occurrence: recurrence.occurrence, runsLeft: 0 } });
  return true;
}

/** Of a job that runs now nothing more comes after it, inside the caller's transaction; what runs is the caller's to end. */
export function endAfterThis(state: State, job: string): void {
  state.run(
    "UPDATE ledger SET run_count = occurrence WHERE job = ? AND state = 'started' AND every_ms IS NOT NULL",
    job,
  );
}

type Range = { readonly from: number; readonly to: number; readonly why: "late" | "running" };

function missed({ job, statement }: Of, { runs }: Recurrence, { from, to, why }: Range): Answer {
  const outcome = { type: "missed", from, why } as const;
  return { job, statement, outcome, contained: "yes", run: { occurrence: to, runsLeft: runs.count - to } };
}
