// A refusal as a job's outcome: its detail is cut to what a receipt may have (SPEC 9.2).
import type { Outcome } from "../protocol/outcome.ts";
import type { Refusal } from "../protocol/refusal.ts";

const MAX_DETAIL_UNITS = 200;

export function refusedOutcome({ code, detail }: Refusal): Extract<Outcome, { type: "refused" }> {
  const cut = detail.slice(0, MAX_DETAIL_UNITS).toWellFormed();
  return { type: "refused", code, ...(cut === "" ? {} : { detail: cut }) };
}
