// What a new policy changes, and whether that weakens it: fewer signers, more time, looser checks.
import { JobKind, jobThreshold, type Policy, runningJobs } from "../../protocol/policy.ts";
import {
  delayWords,
  freshnessWords,
  people,
  policyWords,
  promptWords,
  type RuleName,
  rowWords,
  signerWords,
} from "./policy-words.ts";
import { unlockedMs } from "../unlock/prompt-choice.ts";
import { span } from "../present/span.ts";

export type PolicyDifference = {
  readonly rule: RuleName;
  readonly from: string;
  readonly to: string;
  /** `other`: it says the same in another way. */
  readonly effect: "weaker" | "stricter" | "other";
};

type Pair = { readonly before: Policy; readonly after: Policy };

/** One for each rule that differs, in the order in which a policy is shown. */
export function policyDiff(pair: Pair): readonly PolicyDifference[] {
  const { before, after } = pair;
  return [
    ...differing("admins", pair, (policy) => [people(policy.adminThreshold, "admin"), policy.adminThreshold]),
    ...signerDifferences(pair),
    ...differing("job-lifetime", pair, (policy) => [span(policy.maxJobLifetimeMs), -policy.maxJobLifetimeMs]),
    ...freshnessDifferences(before, after),
    ...differing("prompt", pair, (policy) => [promptWords(policy), -unlockedMs(policy.prompt)]),
    ...differing("passphrase-only", pair, (policy) => [isOf(policy, "passphrase-only"), policy.passphraseOnly ? 0 : 1]),
    ...differing("recovery-delay", pair, (policy) => [delayWords(policy), policy.recoveryDelayMs]),
    ...runningDifferences(before, after),
  ];
}

export function isWeakening(differences: readonly PolicyDifference[]): boolean {
  return differences.some(({ effect }) => effect === "weaker");
}

/** `signers of critical: 1 -> 2 (stricter)`. */
export function differenceWords({ rule, from, to, effect }: PolicyDifference): string {
  return `${rule}: ${from} -> ${to}${effect === "other" ? "" : ` (${effect})`}`;
}

/** Compares one rule by its words and by how strict it is: a larger number is stricter. */
function differing(
  rule: RuleName,
  { before, after }: Pair,
  read: (policy: Policy) => readonly [words: string, strictness: number],
): readonly PolicyDifference[] {
  const [from, was] = read(before);
  const [to, is] = read(after);
  if (was === is) return [];
  return [{ rule, from, to, effect: is < was ? "weaker" : "stricter" }];
}

/** By what devices of each class that either policy names will ask for, and by what all others will. */
function signerDifferences(pair: Pair): readonly PolicyDifference[] {
  const { before, after } = pair;
  const named = [...before.jobThresholds, ...after.jobThresholds].map((row) => row.class);
  const found = [...new Set([...named, "any"])].flatMap((name) =>
    kindsOf(pair, name).flatMap(({ kind, words }) =>
      differing("signers", pair, (policy) => {
        const count = jobThreshold(policy, { kind, class: name });
        return [`${count} for ${words}`, count];
      }),
    ),
  );
  const isSame = JSON.stringify(before.jobThresholds) === JSON.stringify(after.jobThresholds);
  if (found.length > 0 || isSame) return found;
  return [{ rule: "signers", from: signerWords(before), to: signerWords(after), effect: "other" }];
}

/** Each kind of job with what it is called beside this class; all kinds at once where the class asks the same of them. */
function kindsOf({ before, after }: Pair, name: string): readonly { readonly kind: JobKind; readonly words: string }[] {
  const devices = name === "any" ? "all others" : rowWords({ kind: "any", class: name });
  const counts = (kind: JobKind) =>
    `${jobThreshold(before, { kind, class: name })} ${jobThreshold(after, { kind, class: name })}`;
  const [first, ...others] = JobKind.options;
  if (others.every((kind) => counts(kind) === counts(first))) return [{ kind: first, words: devices }];
  return JobKind.options.map((kind) => ({ kind, words: `${devices} (${kind} only)` }));
}

const MODES: readonly Policy["freshness"]["mode"][] = ["off", "any", "other"];

/** A stricter mode with a longer age, or the other way round, weakens as well. */
function freshnessDifferences(before: Policy, after: Policy): readonly PolicyDifference[] {
  const [was, is] = [before.freshness, after.freshness];
  if (was.mode === is.mode && was.maxAgeMs === is.maxAgeMs) return [];
  const modes = MODES.indexOf(is.mode) - MODES.indexOf(was.mode);
  const isLonger = was.mode !== "off" && is.mode !== "off" && is.maxAgeMs > was.maxAgeMs;
  const words = { rule: "freshness", from: freshnessWords(before), to: freshnessWords(after) } as const;
  if (was.mode === "off" && is.mode === "off") return [{ ...words, from: "off", to: "off", effect: "other" }];
  return [{ ...words, effect: modes < 0 || isLonger ? "weaker" : "stricter" }];
}

/** More or fewer jobs at once is neither looser nor stricter. */
function runningDifferences(before: Policy, after: Policy): readonly PolicyDifference[] {
  const [from, to] = [String(runningJobs(before)), String(runningJobs(after))];
  return from === to ? [] : [{ rule: "max-running-jobs", from, to, effect: "other" }];
}

function isOf(policy: Policy, rule: RuleName): string {
  return policyWords(policy).find((words) => words.rule === rule)?.is ?? "";
}
