// How long a job may wait for its devices: what was asked for, within the policy.
import { DEFAULT_JOB_LIFETIME_MS } from "../../protocol/limits.ts";
import type { Session } from "../connection/session.ts";
import { Fault } from "../fault.ts";
import { span } from "../present/span.ts";

/** Throws `misuse` for longer than the policy lets it. */
export function windowOf({ state }: Session, asked: number | undefined): number {
  const longest = state.policy.maxJobLifetimeMs;
  if (asked === undefined) return Math.min(DEFAULT_JOB_LIFETIME_MS, longest);
  if (asked > longest) throw new Fault("misuse", `--expires: the policy allows ${span(longest)}`);
  return asked;
}
