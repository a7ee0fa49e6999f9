// Results of many devices, together where they are equal: outcome and output both.
import { createHash } from "node:crypto";
import type { KeptStream } from "../../protocol/output.ts";
import type { DeviceResult, Target } from "../results/watch-jobs.ts";
import { foldNames } from "./fold.ts";
import { hasSucceeded, resultHint, resultWords } from "./result-words.ts";

export type Group = {
  /** Folded names of the devices. */
  readonly names: string;
  readonly count: number;
  readonly words: string;
  readonly hint: string | undefined;
  readonly ok: boolean;
  readonly output: readonly KeptStream[];
};

type Pair = { readonly target: Target; readonly result: DeviceResult };

/** Groups of equal results, the largest first. */
export function groupResults(results: readonly Pair[]): readonly Group[] {
  const groups = new Map<string, Pair[]>();
  for (const pair of results) {
    const key = keyOf(pair.result);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [pair]);
    else group.push(pair);
  }
  return [...groups.values()].toSorted((a, b) => b.length - a.length).map(groupOf);
}

function groupOf(pairs: readonly Pair[]): Group {
  const [first] = pairs;
  if (first === undefined) throw new Error("internal error: an empty group");
  return {
    names: foldNames(pairs.map(({ target }) => target.device.name)),
    count: pairs.length,
    words: resultWords(first.result),
    hint: resultHint(first.result),
    ok: hasSucceeded(first.result),
    output: outputOf(first.result),
  };
}

export function outputOf(result: DeviceResult): readonly KeptStream[] {
  return result.type === "answered" ? result.output : [];
}

function keyOf(result: DeviceResult): string {
  const hash = createHash("sha256").update(resultWords(result));
  for (const { stream, size, head, tail } of outputOf(result)) {
    hash.update(`\0${stream} ${size} ${head.length} ${tail.length}\0`).update(head).update(tail);
  }
  return hash.digest("base64");
}
