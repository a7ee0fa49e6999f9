// Who signs jobs: whose key counts on a device by the key log as it is, and how many of them a device asks for.
import { isRevokedByFork, type KeyLogState, type Operator } from "../../protocol/key-state.ts";
import { jobThreshold, type JobKind, type Policy } from "../../protocol/policy.ts";

/** Why a key of the log signs no job that counts; `undefined` where it does. A waiting time is the device's to judge. */
export function obstacleTo(state: KeyLogState, { role, key, notAfter }: Operator, now: number): string | undefined {
  if (role === "auditor") return "an auditor";
  if (isRevokedByFork(state, key)) return "key revoked";
  return notAfter <= now ? "key ended" : undefined;
}

/** Operators whose signature under a job counts. */
export function jobSigners(state: KeyLogState, now: number): readonly Operator[] {
  return state.operators.filter((operator) => obstacleTo(state, operator, now) === undefined);
}

/** How many operators the strictest of these classes asks for. */
export function neededFor(policy: Policy, { kind, classes }: { kind: JobKind; classes: readonly string[] }): number {
  return Math.max(1, ...classes.map((name) => jobThreshold(policy, { kind, class: name })));
}
