// `keybound policy`: the organisation's signed policy in words, and changing it.
import type { Policy } from "../../protocol/policy.ts";
import { confirmed } from "../ask.ts";
import { openSession, type Session } from "../connection/session.ts";
import { cosignCommand } from "../cosign/proposals.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { adminRule } from "../keys/admin-rule.ts";
import { followUp } from "../keys/anchor.ts";
import { appendKeyEvent, type AppendedKey } from "../keys/append-key.ts";
import { keyDeskOf } from "../keys/key-act.ts";
import { changedPolicy, checkPolicyOptions, type PolicyOptions } from "../policy/policy-change.ts";
import { differenceWords, isWeakening, policyDiff, type PolicyDifference } from "../policy/policy-diff.ts";
import { policyTraps } from "../policy/policy-traps.ts";
import { policyWords, people } from "../policy/policy-words.ts";
import { either } from "../present/either.ts";
import { plain } from "../present/escape.ts";
import { openUnlocked, type Unlocked } from "../unlock/unlock.ts";
import type { World } from "../world.ts";

export async function showPolicy(world: World, options: CommonOptions): Promise<void> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const { policy, policies } = session.state;
  const since = policies.at(-1)?.from ?? 0;
  const mustSign = policySigners(session);
  if (options.json === true) return printJson(world, { since, mustSign: mustSign.needed, policy });
  for (const { rule, is, means } of policyWords(policy)) print(world, `${rule}: ${is}\n    ${means}`);
  print(world, `\nin force since entry ${since} of the key log; ${mustSign.words} a change`);
  for (const { rule, says } of policyTraps(policy, session)) say(world, `note: ${rule}: ${says}`);
}

export type SetOptions = CommonOptions & PolicyOptions;

export async function setPolicy(world: World, options: SetOptions): Promise<void> {
  checkPolicyOptions(options);
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  const before = session.state.policy;
  const after = changedPolicy(before, options);
  const differences = policyDiff({ before, after });
  if (differences.length === 0) return sayUnchanged(world, options, after);
  const appended = await offerPolicy(unlocked, after, options);
  report(session, appended, { differences, after });
}

/** Says what another policy would change, has it confirmed, and signs it. Throws `not-confirmed` for a no. */
export async function offerPolicy(unlocked: Unlocked, after: Policy, options: CommonOptions): Promise<AppendedKey> {
  const { session } = unlocked;
  const before = session.state.policy;
  sayChange(session, policyDiff({ before, after }), after);
  await confirmed(session.desk.world, options.yes, "Set this policy?");
  return await append(unlocked, { before, after });
}

function sayUnchanged(world: World, { json }: SetOptions, policy: Policy): void {
  if (json === true) return printJson(world, { state: "unchanged", changes: [], policy });
  say(world, "the policy says that already; nothing was changed");
}

/** What would change, what it does not do, and who has to sign. */
function sayChange(session: Session, differences: readonly PolicyDifference[], after: Policy): void {
  const { world } = session.desk;
  say(world, "This would change:");
  for (const difference of differences) say(world, `  ${differenceWords(difference)}`);
  if (isWeakening(differences)) say(world, "This WEAKENS the policy.");
  const changed = new Set(differences.map(({ rule }) => rule));
  const traps = policyTraps(after, session).filter(({ rule }) => changed.has(rule));
  for (const { says } of traps) say(world, `warning: ${says}`);
  say(world, `${policySigners(session).words} it.`);
}

/** How many admins must sign a policy now, and the same as the beginning of a sentence. */
function policySigners({ state }: Session): { readonly needed: number; readonly words: string } {
  const rule = adminRule(state, { type: "policy.set", policy: state.policy });
  const { needed, eligible } = rule ?? { needed: 1, eligible: [] };
  return { needed, words: `${needed} of ${people(eligible.length, "admin")} must sign` };
}

type Pair = { readonly before: Policy; readonly after: Policy };

async function append(unlocked: Unlocked, { before, after }: Pair): Promise<AppendedKey> {
  const { session, keys } = unlocked;
  const change = { type: "policy.set", policy: after } as const;
  const appended = await appendKeyEvent(keyDeskOf(session), ({ policy }) => {
    if (JSON.stringify(policy) !== JSON.stringify(before)) throw new Fault("policy-moved", "");
    return { change, signers: [keys] };
  });
  if (appended.type === "appended") await followUp(unlocked);
  return appended;
}

type Set = { readonly differences: readonly PolicyDifference[]; readonly after: Policy };

function report({ desk, state }: Session, appended: AppendedKey, { differences, after }: Set): void {
  const { world, options, home } = desk;
  if (options.json === true) {
    const { type, ...where } = appended;
    return printJson(world, { state: type, ...where, changes: differences, policy: after });
  }
  if (appended.type === "appended") return print(world, `set: entry ${appended.place.seq} of the key log`);
  const { eligible = [] } = adminRule(state, { type: "policy.set", policy: after }) ?? {};
  const others = eligible.filter(({ operator }) => operator !== home.config.operator).map(({ name }) => plain(name));
  print(world, `proposed; ${either(others)} must co-sign: ${cosignCommand(appended.proposal)}`);
}
