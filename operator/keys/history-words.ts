// What an entry of the key log did, in words, for somebody who reads what has happened.
import type { KeyEvent, Role } from "../../protocol/key-event.ts";
import { pinOf } from "../../protocol/pin.ts";
import type { Policy } from "../../protocol/policy.ts";
import { differenceWords, policyDiff } from "../policy/policy-diff.ts";
import { every } from "../present/either.ts";
import { plain } from "../present/escape.ts";
import { span } from "../present/span.ts";
import { type Actor, actorName, type HistoryEntry } from "./key-history.ts";

/** One sentence, such as `Ada approved Grace's key as operator`. */
export function historyWords({ event, owner, actors, before }: HistoryEntry): string {
  const who = actorWords(actors);
  const whose = plain(owner?.name ?? "nobody");
  switch (event.type) {
    case "genesis":
      return `${who} founded ${plain(event.name)}, epoch ${event.epoch}${supersedesWords(event.supersedes)}`;
    case "operator.add":
      return `${who} approved ${whose}'s key as ${event.key.role}`;
    case "operator.replace":
      return `${who} approved a new key of ${whose}; the old key ended, jobs that waited under it were cancelled`;
    case "operator.change":
      return `${whose} changed to a new key${othersWords(actors, owner)}; ${jobWords(event.jobs)}`;
    case "operator.recover":
      return `${who} recovered with the recovery file; the old key ended${delayWords(before.policy)}`;
    case "operator.recovery":
      return `${who} ${recoveryWords(event.recovery !== undefined, before.hasRecovery)}`;
    case "operator.revoke":
      return `${who} revoked ${isOwn(actors, owner) ? "their own" : `${whose}'s`} key (${plain(event.reason)}); ${jobWords(event.jobs)}`;
    case "operator.role":
      return `${who} made ${whose} ${article(event.role)}${before.role === undefined ? "" : `, ${article(before.role)} until then`}`;
    case "policy.set":
      return `${who} set the policy: ${policyWords(before.policy, event.policy)}`;
    case "root.set":
      return `${who} ${rootWords(event.root)}`;
    case "tenant.close":
      return `${who} closed the organisation for good (${plain(event.reason)})`;
    default:
      throw new Error(`internal error: no words for ${JSON.stringify(event satisfies never)}`);
  }
}

/** The people who signed, as one says them: `Ada and Grace`. */
export function actorWords(actors: readonly Actor[]): string {
  const people = actors.filter((actor) => actor.with !== "root-key").map((actor) => plain(actorName(actor)));
  const roots = actors.length - people.length;
  if (roots === 0) return every(people);
  return every([...people, roots === 1 ? "a root key" : `${roots} root keys`]);
}

/** Why, where the entry says it. */
export function reasonOf(event: KeyEvent): string | undefined {
  return "reason" in event ? event.reason : undefined;
}

/** Colleagues who signed what is one's own act: it ends a waiting time (SPEC 4.3). */
function othersWords(actors: readonly Actor[], owner: HistoryEntry["owner"]): string {
  const others = actors.filter((actor) => actor.with === "root-key" || actor.operator !== owner?.operator);
  return others.length === 0 ? "" : `, with the signature of ${actorWords(others)}`;
}

function isOwn(actors: readonly Actor[], owner: HistoryEntry["owner"]): boolean {
  return actors.every((actor) => actor.with !== "root-key" && actor.operator === owner?.operator);
}

function supersedesWords(tenants: readonly string[]): string {
  return tenants.length === 0 ? "" : `, in the place of ${every(tenants.map(pinOf))}`;
}

function jobWords(jobs: "cancel" | "keep"): string {
  return `queued jobs ${jobs === "cancel" ? "cancelled" : "kept"}`;
}

function delayWords(policy: Policy | undefined): string {
  const ms = policy?.recoveryDelayMs ?? 0;
  return ms === 0 ? "" : `; the new one signs jobs on a device ${span(ms)} after that heard of it`;
}

function recoveryWords(isMade: boolean, hadOne: boolean): string {
  if (!isMade) return "ended the recovery file";
  return hadOne ? "made a new recovery file; the one before is dead" : "made a recovery file";
}

function article(role: Role): string {
  return `an ${role}`;
}

function policyWords(before: Policy | undefined, after: Policy): string {
  const differences = before === undefined ? [] : policyDiff({ before, after });
  return differences.length === 0 ? "as it was" : differences.map(differenceWords).join("; ");
}

function rootWords({ keys, threshold }: { readonly keys: readonly string[]; readonly threshold: number }): string {
  return keys.length === 0
    ? "ended the root keys"
    : `set ${keys.length} root key${keys.length === 1 ? "" : "s"}, of which ${threshold} must sign`;
}
