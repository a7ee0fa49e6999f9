// The tenant's signed policy: who must sign what, how long jobs live, how fresh the log must be (SPEC 4.4).
import * as v from "valibot";
import { Word, whole } from "./fields.ts";
import {
  DEFAULT_FRESHNESS_MS,
  DEFAULT_RUNNING_JOBS,
  MAX_FRESHNESS_MS,
  MAX_JOB_LIFETIME_MS,
  MAX_RECOVERY_DELAY_MS,
  MAX_RUNNING_JOBS,
  MAX_THRESHOLD,
  MAX_THRESHOLD_ROWS,
} from "./limits.ts";

/** `run` a command; `cancel` jobs; `fetch` a file; `update` the agent; more kinds come with new agents, and an unknown one is refused. */
export const JobKind = v.picklist(["run", "cancel", "fetch", "update"]);
export type JobKind = v.InferOutput<typeof JobKind>;

const Count = whole(1, MAX_THRESHOLD);

/** How many operators must sign a job of this kind for a device of this class; `any` stands for each. */
const ThresholdRow = v.strictObject({
  kind: v.union([JobKind, v.literal("any")]),
  class: v.union([Word, v.literal("any")]),
  count: Count,
});

export const Policy = v.strictObject({
  /** Admins who must sign an act of an admin. */
  adminThreshold: Count,
  jobThresholds: v.pipe(v.array(ThresholdRow), v.maxLength(MAX_THRESHOLD_ROWS)),
  maxJobLifetimeMs: whole(60_000, MAX_JOB_LIFETIME_MS),
  /** `any`: some active operator vouched for the log within `maxAgeMs`; `other`: somebody besides the signer did. */
  freshness: v.strictObject({ mode: v.picklist(["off", "any", "other"]), maxAgeMs: whole(60_000, MAX_FRESHNESS_MS) }),
  /** How long a key may stay unlocked at the most. */
  prompt: v.picklist(["task", "day", "week"]),
  passphraseOnly: v.boolean(),
  /** A recovered key may sign jobs only this long after a device heard of it. */
  recoveryDelayMs: whole(0, MAX_RECOVERY_DELAY_MS),
  /** Jobs that run side by side on one device; four where nothing is said. */
  maxRunningJobs: v.exactOptional(whole(1, MAX_RUNNING_JOBS)),
});
export type Policy = Readonly<v.InferOutput<typeof Policy>>;

export const DEFAULT_POLICY: Policy = {
  adminThreshold: 1,
  jobThresholds: [],
  maxJobLifetimeMs: MAX_JOB_LIFETIME_MS,
  freshness: { mode: "other", maxAgeMs: DEFAULT_FRESHNESS_MS },
  prompt: "week",
  passphraseOnly: true,
  recoveryDelayMs: 0,
};

/** Operators who must sign a job of this kind for a device of this class: the largest of the rows that fit, else one. */
export function jobThreshold(policy: Policy, job: { readonly kind: JobKind; readonly class: string }): number {
  const rows = policy.jobThresholds.filter(
    (row) => (row.kind === "any" || row.kind === job.kind) && (row.class === "any" || row.class === job.class),
  );
  return Math.max(1, ...rows.map((row) => row.count));
}

/** How many jobs a device runs side by side. */
export function runningJobs({ maxRunningJobs = DEFAULT_RUNNING_JOBS }: Policy): number {
  return maxRunningJobs;
}

/** Admins who must sign a new policy: as many as the strictest rule in force, so that one person cannot weaken it. */
export function policyThreshold(policy: Policy): number {
  return Math.max(policy.adminThreshold, ...policy.jobThresholds.map((row) => row.count));
}
