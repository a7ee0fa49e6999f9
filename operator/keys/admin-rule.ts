// How many admins must sign an entry of the key log, and who they may be (SPEC 4.3): to say it before it is asked of anybody.
// What counts in the end is the log's own judgement.
import type { KeyLogState, Operator } from "../../protocol/key-state.ts";
import { policyThreshold } from "../../protocol/policy.ts";
import type { KeyChange } from "./append-key.ts";

export type AdminRule = { readonly needed: number; readonly eligible: readonly Operator[] };

/** `undefined` for an entry that is signed by its own subject, or by root keys. */
export function adminRule(state: KeyLogState, change: KeyChange): AdminRule | undefined {
  const rule = askedFor(state, change);
  if (rule === undefined) return undefined;
  const eligible = state.operators.filter(({ role, operator }) => role === "admin" && operator !== rule.subject);
  return { needed: Math.max(1, Math.min(rule.count, eligible.length)), eligible };
}

function askedFor(
  state: KeyLogState,
  change: KeyChange,
): { readonly subject?: string; readonly count: number } | undefined {
  const { adminThreshold } = state.policy;
  switch (change.type) {
    case "operator.add":
    case "operator.replace":
      return { subject: change.key.operator, count: adminThreshold };
    case "operator.role":
      return { subject: change.operator, count: adminThreshold };
    case "operator.revoke":
      return { subject: change.operator, count: isAdmin(state, change.operator) ? adminThreshold : 1 };
    case "policy.set":
      return { count: policyThreshold(state.policy) };
    case "tenant.close":
      return { count: 2 };
    default:
      return undefined;
  }
}

function isAdmin(state: KeyLogState, id: string): boolean {
  return state.operators.find(({ operator }) => operator === id)?.role === "admin";
}
