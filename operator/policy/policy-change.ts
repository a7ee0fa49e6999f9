// What `keybound policy set` asks for, as a whole policy; whatever makes no sense is said before anything is signed.
import * as v from "valibot";
import { Word } from "../../protocol/fields.ts";
import {
  MAX_FRESHNESS_MS,
  MAX_JOB_LIFETIME_MS,
  MAX_RECOVERY_DELAY_MS,
  MAX_RUNNING_JOBS,
  MAX_THRESHOLD,
  MAX_THRESHOLD_ROWS,
} from "../../protocol/limits.ts";
import { JobKind, type Policy } from "../../protocol/policy.ts";
import { Fault } from "../fault.ts";
import { plain } from "../present/escape.ts";
import { span } from "../present/span.ts";

export type PolicyOptions = {
  readonly admins?: number;
  readonly twoPerson?: readonly string[];
  readonly signers?: readonly string[];
  readonly jobLifetime?: number;
  readonly freshness?: Policy["freshness"]["mode"];
  readonly freshnessAge?: number;
  readonly prompt?: Policy["prompt"];
  readonly passphraseOnly?: "allow" | "forbid";
  readonly recoveryDelay?: number;
  readonly maxRunningJobs?: number;
};

type Row = Policy["jobThresholds"][number];

const MINUTE_MS = 60_000;

/** A check of what was typed, which needs nothing but that. Throws `misuse`. */
export function checkPolicyOptions(options: PolicyOptions): void {
  const { admins, jobLifetime, freshness, freshnessAge, recoveryDelay, maxRunningJobs } = options;
  const chosen = Object.keys(SETTERS).filter((name) => name in options);
  if (chosen.length === 0) throw new Fault("misuse", "what shall change? keybound policy set --help has the rules");
  inRange("--admins", admins, { min: 1, max: MAX_THRESHOLD, words: String });
  inRange("--job-lifetime", jobLifetime, { min: MINUTE_MS, max: MAX_JOB_LIFETIME_MS, words: span });
  inRange("--freshness-age", freshnessAge, { min: MINUTE_MS, max: MAX_FRESHNESS_MS, words: span });
  inRange("--recovery-delay", recoveryDelay, { min: 0, max: MAX_RECOVERY_DELAY_MS, words: span });
  inRange("--max-running-jobs", maxRunningJobs, { min: 1, max: MAX_RUNNING_JOBS, words: String });
  if (freshness === "off" && freshnessAge !== undefined)
    throw new Fault("misuse", "--freshness-age says nothing beside --freshness off");
  rowsOf(options);
}

const SETTERS: Readonly<Record<keyof PolicyOptions, true>> = {
  admins: true,
  twoPerson: true,
  signers: true,
  jobLifetime: true,
  freshness: true,
  freshnessAge: true,
  prompt: true,
  passphraseOnly: true,
  recoveryDelay: true,
  maxRunningJobs: true,
};

/** The policy after what was asked for. Throws `misuse` for what cannot be said of this policy. */
export function changedPolicy(policy: Policy, options: PolicyOptions): Policy {
  const { admins, jobLifetime, freshness, freshnessAge, prompt, passphraseOnly, recoveryDelay } = options;
  const running = options.maxRunningJobs ?? policy.maxRunningJobs;
  const mode = freshness ?? policy.freshness.mode;
  if (mode === "off" && freshnessAge !== undefined)
    throw new Fault("misuse", "--freshness-age without --freshness any or other: freshness is off");
  return {
    adminThreshold: admins ?? policy.adminThreshold,
    jobThresholds: changedRows(policy.jobThresholds, rowsOf(options)),
    maxJobLifetimeMs: jobLifetime ?? policy.maxJobLifetimeMs,
    freshness: { mode, maxAgeMs: freshnessAge ?? policy.freshness.maxAgeMs },
    prompt: prompt ?? policy.prompt,
    passphraseOnly: passphraseOnly === undefined ? policy.passphraseOnly : passphraseOnly === "allow",
    recoveryDelayMs: recoveryDelay ?? policy.recoveryDelayMs,
    ...(running === undefined ? {} : { maxRunningJobs: running }),
  };
}

/** A row that is given takes the place of the one for its kind and class; a count of one is no row. */
function changedRows(before: readonly Row[], given: readonly Row[]): Row[] {
  const unknown = given.find((row) => row.count === 1 && !before.some((other) => isSamePlace(row, other)));
  if (unknown !== undefined)
    throw new Fault(
      "misuse",
      `there is no rule ${unknown.kind}:${unknown.class} to remove: keybound policy shows them`,
    );
  const kept = before.filter((row) => !given.some((other) => isSamePlace(row, other)));
  const rows = [...kept, ...given.filter(({ count }) => count > 1)];
  if (rows.length > MAX_THRESHOLD_ROWS)
    throw new Fault("misuse", `${rows.length} rules of who signs, at most ${MAX_THRESHOLD_ROWS}`);
  return rows;
}

function isSamePlace(a: Row, b: Row): boolean {
  return a.kind === b.kind && a.class === b.class;
}

function rowsOf({ twoPerson = [], signers = [] }: PolicyOptions): readonly Row[] {
  const rows = [...twoPerson.map((name) => rowOf(`any:${name}=2`, `--two-person ${name}`)), ...signers.map(signersRow)];
  const twice = rows.find((row, at) => rows.findIndex((other) => isSamePlace(row, other)) !== at);
  if (twice !== undefined) throw new Fault("misuse", `${twice.kind}:${twice.class} was given twice`);
  return rows;
}

function signersRow(typed: string): Row {
  return rowOf(typed.includes(":") ? typed : `any:${typed}`, `--signers ${typed}`);
}

function rowOf(spelling: string, typed: string): Row {
  const [, kind = "", name = "", digits = ""] = /^([^:=]+):([^:=]+)=(\d)$/.exec(spelling) ?? [];
  const count = Number(digits);
  const isFit = v.is(Kind, kind) && v.is(Word, name) && count >= 1 && count <= MAX_THRESHOLD;
  if (isFit) return { kind, class: name, count };
  throw new Fault("misuse", `${plain(typed)}: KIND:CLASS=N, such as any:critical=2, with N from 1 to ${MAX_THRESHOLD}`);
}

const Kind = v.union([JobKind, v.literal("any")]);

type Range = { readonly min: number; readonly max: number; readonly words: (value: number) => string };

function inRange(option: string, value: number | undefined, { min, max, words }: Range): void {
  if (value === undefined || (value >= min && value <= max)) return;
  throw new Fault("misuse", `${option} ${words(value)}: from ${words(min)} to ${words(max)}`);
}
