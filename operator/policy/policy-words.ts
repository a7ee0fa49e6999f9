// The signed policy in words: each rule, what it is, and what it bounds, for somebody who reads it for the first time.
import { type Policy, runningJobs } from "../../protocol/policy.ts";
import { span } from "../present/span.ts";

/** Rules by the names of the options that set them. */
export type RuleName =
  | "admins"
  | "signers"
  | "job-lifetime"
  | "freshness"
  | "prompt"
  | "passphrase-only"
  | "recovery-delay"
  | "max-running-jobs";

export type RuleWords = { readonly rule: RuleName; readonly is: string; readonly means: string };

export function policyWords(policy: Policy): readonly RuleWords[] {
  return [
    adminWords(policy),
    { rule: "signers", is: signerWords(policy), means: signerMeaning(policy) },
    {
      rule: "job-lifetime",
      is: span(policy.maxJobLifetimeMs),
      means: "devices refuse a job whose window is longer, so nothing that was signed once runs later than that",
    },
    { rule: "freshness", is: freshnessWords(policy), means: freshnessMeaning(policy) },
    { rule: "prompt", is: promptWords(policy), means: "no client keeps a key unlocked for longer" },
    passphraseWords(policy),
    recoveryWords(policy),
    {
      rule: "max-running-jobs",
      is: String(runningJobs(policy)),
      means: "so many jobs run side by side on one device; the others wait, one operator's after another's",
    },
  ];
}

function adminWords({ adminThreshold: count }: Policy): RuleWords {
  const means = "this many admins, other than the person whom it is about, sign a new operator, a key or a role";
  return { rule: "admins", is: people(count, "admin"), means };
}

/** `2 for critical, 1 for all others`. */
export function signerWords({ jobThresholds }: Policy): string {
  if (jobThresholds.length === 0) return "1 for all devices";
  const rows = jobThresholds.map(({ kind, class: name, count }) => `${count} for ${rowWords({ kind, class: name })}`);
  return jobThresholds.some((row) => row.class === "any") ? rows.join(", ") : [...rows, "1 for all others"].join(", ");
}

/** The devices, and the kind where it is not every kind, that a row is about. */
export function rowWords({ kind, class: name }: { readonly kind: string; readonly class: string }): string {
  const devices = name === "any" ? "every device" : name;
  return kind === "any" ? devices : `${devices} (${kind} only)`;
}

function signerMeaning({ jobThresholds }: Policy): string {
  return jobThresholds.length === 0
    ? "one operator's signature is enough for a job"
    : "devices of the class refuse a job that fewer people signed; of several rules that fit, the largest counts";
}

export function freshnessWords({ freshness: { mode, maxAgeMs } }: Policy): string {
  return mode === "off" ? "off" : `${mode}, ${span(maxAgeMs)}`;
}

function freshnessMeaning({ freshness: { mode, maxAgeMs } }: Policy): string {
  switch (mode) {
    case "off":
      return "nothing bounds for how long a relay can hide from devices that a key was revoked";
    case "any":
      return `a device runs a job only if some operator, the signer too, vouched for the key log within ${span(maxAgeMs)}`;
    case "other":
      return `a device runs a job only if somebody besides its signer vouched for the key log within ${span(maxAgeMs)}`;
    default:
      throw new Error(`internal error: no words for ${JSON.stringify(mode satisfies never)}`);
  }
}

export function promptWords({ prompt }: Policy): string {
  return { task: "at each task", day: "once in 24 hours", week: "once in 168 hours" }[prompt];
}

function passphraseWords({ passphraseOnly }: Policy): RuleWords {
  const means = passphraseOnly
    ? "a key may be derived from a passphrase alone, which everybody who sees the key log can try to guess"
    : "a new key needs its setup secret besides the passphrase";
  return { rule: "passphrase-only", is: passphraseOnly ? "allowed" : "forbidden", means };
}

export function delayWords({ recoveryDelayMs }: Policy): string {
  return recoveryDelayMs === 0 ? "none" : span(recoveryDelayMs);
}

function recoveryWords(policy: Policy): RuleWords {
  const means =
    policy.recoveryDelayMs === 0
      ? "a key that was made from a recovery file signs jobs at once"
      : "a key that was made from a recovery file signs jobs only this long after a device heard of it";
  return { rule: "recovery-delay", is: delayWords(policy), means };
}

export function people(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
