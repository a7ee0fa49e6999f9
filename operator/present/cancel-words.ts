// How far a job had got on a device when its cancel came, in words.
import type { CancelState, Outcome } from "../../protocol/outcome.ts";

export const CANCEL_WORDS: Readonly<Record<CancelState, string>> = {
  ended: "was running, and was ended",
  "was-waiting": "had not begun, and will not",
  barred: "had not come, and will not run if it comes",
  expired: "is not known there, and past its end",
  "had-ended": "had ended before",
  lost: "was running when the device or its agent went down; what it had started may still run",
  "no-room": "had not come, and NOTHING KEEPS IT FROM RUNNING: the device's ledger is full",
  "other-statement": "WAS LEFT ALONE: the device has another job under this id",
  "is-cancel": "is a cancel, and was done",
};

/** `was running, and was ended`; of several jobs each with its id. */
export function cancelWords({ jobs }: Extract<Outcome, { type: "cancel-done" }>): string {
  const [first, another] = jobs;
  if (first !== undefined && another === undefined) return CANCEL_WORDS[first.state];
  return jobs.map(({ job, state }) => `${job} ${CANCEL_WORDS[state]}`).join("; ");
}
