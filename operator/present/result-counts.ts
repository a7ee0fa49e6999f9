// How many devices came to which end: the first thing to see of a job that went to many.
import { hasSucceeded, resultWords } from "./result-words.ts";
import type { Ended } from "./run-view.ts";

export type ResultCounts = {
  readonly total: number;
  readonly succeeded: number;
  /** Ended in another way, by the device's signature, its word or the relay's. */
  readonly failed: number;
  /** Answers that do not verify. */
  readonly untrusted: number;
  readonly waiting: number;
};

export function countResults(ended: readonly Ended[]): ResultCounts {
  const succeeded = ended.filter(({ result }) => hasSucceeded(result)).length;
  const untrusted = ended.filter(({ result }) => result?.type === "untrusted").length;
  const waiting = ended.filter(({ result }) => result === undefined).length;
  return { total: ended.length, succeeded, failed: ended.length - succeeded - untrusted - waiting, untrusted, waiting };
}

/** `487 exited 0; 11 exited 3; 2 waiting`: the largest first, and who has not answered last. */
export function countWords(ended: readonly Ended[]): string {
  const answered = ended.flatMap(({ result }) => (result === undefined ? [] : [resultWords(result)]));
  const groups = [...Map.groupBy(answered, (words) => words)].toSorted(([, a], [, b]) => b.length - a.length);
  const waiting = ended.length - answered.length;
  return [
    ...groups.map(([words, these]) => `${these.length} ${words}`),
    ...(waiting === 0 ? [] : [`${waiting} waiting`]),
  ].join("; ");
}
