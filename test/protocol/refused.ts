// Expecting a refusal: the code and nothing else decides, and an error that is no refusal fails the test as itself.
import { Refusal, type RefusalCode } from "../../protocol/refusal.ts";
import type { JobVerdict } from "../../protocol/verify-job.ts";

/** The code that an act is refused with; `accepted` where it is not. Lets any other error through. */
export function codeOf(act: () => unknown): RefusalCode | "accepted" {
  try {
    act();
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

/** A verdict as one word: `verified`, `behind` or the code. */
export function wordOf(verdict: JobVerdict): string {
  return verdict.type === "refused" ? verdict.refusal.code : verdict.type;
}
