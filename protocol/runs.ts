// A job that runs several times: when each of its occurrences is due (SPEC 8.7). Occurrences are counted from 1.
import * as v from "valibot";
import { whole } from "./fields.ts";
import { MAX_JOB_LIFETIME_MS, MAX_OCCURRENCES, MIN_EVERY_MS } from "./limits.ts";

export const Runs = v.strictObject({
  /** From one occurrence to the next: a fixed time, whatever clocks on walls do. */
  everyMs: whole(MIN_EVERY_MS, MAX_JOB_LIFETIME_MS),
  count: whole(2, MAX_OCCURRENCES),
});
export type Runs = Readonly<v.InferOutput<typeof Runs>>;

/** Number of an occurrence. */
export const Occurrence = whole(1, MAX_OCCURRENCES);

/** When the first occurrence is due, and how the others follow. */
export type Schedule = { readonly notBefore: number; readonly runs: Runs };

export function dueAt({ notBefore, runs: { everyMs } }: Schedule, occurrence: number): number {
  return notBefore + (occurrence - 1) * everyMs;
}

export function lastDueAt(schedule: Schedule): number {
  return dueAt(schedule, schedule.runs.count);
}

/** The newest occurrence that is due by now; 0 before the first. */
export function newestDue({ notBefore, runs: { everyMs, count } }: Schedule, now: number): number {
  return Math.min(count, Math.max(0, Math.floor((now - notBefore) / everyMs) + 1));
}
