// `keybound key revoke` and `role set`: an admin ends another's key or gives them another role; everybody may end their own.
import type { Role } from "../../protocol/key-event.ts";
import * as v from "valibot";
import { Reason } from "../../protocol/fields.ts";
import { appendKeyEvent } from "../keys/append-key.ts";
import { askLine, confirmed } from "../ask.ts";
import { type CommonOptions, openDesk } from "../desk.ts";
import { Fault } from "../fault.ts";
import { endHolder } from "../holder/held-keys.ts";
import { afterKeyEvent, keyDeskOf, type WaitHeardOptions } from "../keys/key-act.ts";
import { findOperator } from "../keys/people.ts";
import { openUnlocked } from "../unlock/unlock.ts";
import { isAtTerminal, type World } from "../world.ts";

export type RevokeOptions = CommonOptions &
  WaitHeardOptions & { readonly reason?: string; readonly keepJobs?: boolean };

export async function revokeKey(world: World, who: string, options: RevokeOptions): Promise<void> {
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  const subject = findOperator(session.state, who);
  const isOwn = subject.operator === desk.home.config.operator;
  const reason = await reasonOf(world, options);
  const jobs = options.keepJobs === true ? "keep" : "cancel";
  const what = isOwn
    ? "Your own key ends: you sign nothing any more."
    : `${subject.name}'s key ends: it signs nothing any more.`;
  const queued = jobs === "keep" ? "Jobs that devices have accepted go on." : "Jobs that have not begun are dropped.";
  await confirmed(world, options.yes, `${what} ${queued} Revoke it?`);
  const appended = await appendKeyEvent(keyDeskOf(session), () => ({
    change: { type: "operator.revoke", operator: subject.operator, key: subject.key, reason, jobs },
    signers: [unlocked.keys],
  }));
  if (isOwn && appended.type === "appended") await endHolder(desk.home, world);
  const done = `${subject.name}'s key is revoked`;
  await afterKeyEvent(unlocked, { appended, done, options, json: { name: subject.name, reason }, isActive: !isOwn });
}

async function reasonOf(world: World, { reason }: RevokeOptions): Promise<string> {
  const given =
    reason ?? (isAtTerminal(world) ? await askLine(world, "Why? (stands in the key log for everybody)") : undefined);
  if (given === undefined) throw new Fault("misuse", "--reason TEXT: it stands in the key log for everybody");
  if (!v.is(Reason, given)) throw new Fault("misuse", "--reason: 1 to 256 printable characters");
  return given;
}

export type RoleOptions = CommonOptions & WaitHeardOptions;

export async function setRole(
  world: World,
  { who, role }: { who: string; role: Role },
  options: RoleOptions,
): Promise<void> {
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  const subject = findOperator(session.state, who);
  if (subject.operator === desk.home.config.operator)
    throw new Fault("misuse", "another admin has to change your role");
  await confirmed(world, options.yes, `${subject.name} is ${subject.role}. ${ROLE_WORDS[role]} Make them ${role}?`);
  const appended = await appendKeyEvent(keyDeskOf(session), () => ({
    change: { type: "operator.role", operator: subject.operator, role },
    signers: [unlocked.keys],
  }));
  await afterKeyEvent(unlocked, {
    appended,
    done: `${subject.name} is ${role} now`,
    options,
    json: { name: subject.name, role },
  });
}

const ROLE_WORDS: Readonly<Record<Role, string>> = {
  admin: "An admin approves and revokes keys, sets roles and policy, and signs jobs.",
  operator: "An operator signs jobs and admits devices.",
  auditor: "An auditor reads jobs and results, and signs nothing.",
};
