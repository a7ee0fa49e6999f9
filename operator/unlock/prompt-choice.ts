// How often the passphrase is asked for: a person's choice, within what the organisation's policy allows.
import type { Policy } from "../../protocol/policy.ts";
import { DAY_UNLOCKED_MS, WEEK_UNLOCKED_MS } from "../limits.ts";

/** At each task, once in 24 hours, or once in 168 hours. */
export type PromptChoice = Policy["prompt"];

/** How long a key may stay unlocked by this choice. */
export function unlockedMs(choice: PromptChoice): number {
  return { task: 0, day: DAY_UNLOCKED_MS, week: WEEK_UNLOCKED_MS }[choice];
}

/** The one of two that asks more often. */
export function stricter(one: PromptChoice, other: PromptChoice): PromptChoice {
  return unlockedMs(one) <= unlockedMs(other) ? one : other;
}
