// Rules that do not do what they seem to in this organisation as it is: said wherever a policy is shown or set.
import type { KeyLogState, Operator } from "../../protocol/key-state.ts";
import { JobKind, jobThreshold, type Policy, policyThreshold } from "../../protocol/policy.ts";
import { jobSigners } from "../cosign/job-signers.ts";
import { people, type RuleName, rowWords } from "./policy-words.ts";
import { plain } from "../present/escape.ts";
import { every } from "../present/either.ts";

export type Trap = { readonly rule: RuleName; readonly says: string };

type Place = { readonly state: KeyLogState; readonly now: number };

export function policyTraps(policy: Policy, place: Place): readonly Trap[] {
  return [
    ...adminTraps(policy, place.state),
    ...signerTraps(policy, place),
    ...loneAdminTraps(policy, place.state),
    ...freshnessTraps(policy, place),
    ...passphraseTraps(policy, place.state),
  ];
}

function adminsOf({ operators }: KeyLogState): readonly Operator[] {
  return operators.filter(({ role }) => role === "admin");
}

/** A count is capped by how many admins other than the subject there are (SPEC 4.3). */
function adminTraps({ adminThreshold: count }: Policy, state: KeyLogState): readonly Trap[] {
  const admins = adminsOf(state).length;
  if (count < 2 || admins > count) return [];
  const says = `${count} admins are asked for only as far as there are others: with ${people(admins, "admin")}, acts about one of them need ${Math.max(1, admins - 1)}; it takes ${count + 1} admins to mean what it says`;
  return [{ rule: "admins", says }];
}

/** A device's count is not capped by anything. */
function signerTraps(policy: Policy, { state, now }: Place): readonly Trap[] {
  const able = jobSigners(state, now).length;
  return [...new Set(policy.jobThresholds.map((row) => row.class))].flatMap((name): readonly Trap[] => {
    const short = JobKind.options.filter((kind) => jobThreshold(policy, { kind, class: name }) > able);
    if (short.length === 0) return [];
    const count = Math.max(...short.map((kind) => jobThreshold(policy, { kind, class: name })));
    const devices = rowWords({ kind: "any", class: name });
    const what = short.includes("run") ? "job" : short.join(" or ");
    const says = `${count} people must sign each ${what} for ${devices}, and only ${able} can: no ${what} runs there until there are more`;
    return [{ rule: "signers", says }];
  });
}

function loneAdminTraps(policy: Policy, state: KeyLogState): readonly Trap[] {
  const asked = policyThreshold(policy);
  const admins = adminsOf(state).length;
  if (asked < 2 || admins >= asked) return [];
  const says = `${asked} admins must sign to take this back, but only as far as there are that many: with ${people(admins, "admin")}, ${admins} can`;
  return [{ rule: policy.adminThreshold === asked ? "admins" : "signers", says }];
}

function freshnessTraps({ freshness: { mode } }: Policy, { state, now }: Place): readonly Trap[] {
  const able = jobSigners(state, now).length;
  if (mode !== "other" || able > 1) return [];
  const says =
    "there is nobody besides the only operator who could vouch, so freshness bounds nothing but a job's own age";
  return [{ rule: "freshness", says }];
}

function passphraseTraps({ passphraseOnly }: Policy, { operators }: KeyLogState): readonly Trap[] {
  const names = operators.filter(({ mode }) => mode === "passphrase").map(({ name }) => plain(name));
  if (passphraseOnly || names.length === 0) return [];
  const says = `the keys of ${every(names)} are of a passphrase alone and stay good: they end when they are changed or revoked`;
  return [{ rule: "passphrase-only", says }];
}
