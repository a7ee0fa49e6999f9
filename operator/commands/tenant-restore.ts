// `keybound tenant restore`: what an organisation had signed before its reset, signed again under the new key: names, classes and
// groups of the devices that have come over, and the policy. It may be run again as more come over.
import { MAX_GROUP_CHANGE } from "../../protocol/limits.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { confirmed } from "../ask.ts";
import type { Session } from "../connection/session.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { appendChanges, type RosterChange } from "../devices/append-roster.ts";
import { listDevices, type ListedDevice } from "../devices/listed-devices.ts";
import { Fault } from "../fault.ts";
import { policyDiff } from "../policy/policy-diff.ts";
import { foldNames } from "../present/fold.ts";
import { readCopy, type TenantCopy } from "../tenant/tenant-copy.ts";
import { openUnlocked, sendCheckpoint, type Unlocked } from "../unlock/unlock.ts";
import type { World } from "../world.ts";
import { offerPolicy } from "./policy.ts";

type CopiedDevice = TenantCopy["devices"][number];
/** A device of the copy, and what it is now. */
type Returned = { readonly was: CopiedDevice; readonly is: RosterDevice; readonly byNameAlone: boolean };

export async function restoreTenant(world: World, path: string, options: CommonOptions): Promise<void> {
  const copy = readCopy(path);
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  if (!session.state.supersedes.includes(copy.tenant)) {
    throw new Fault(
      "copy-form",
      `${copy.organisation} of pin ${copy.pin} is none that this organisation took the place of`,
    );
  }
  const returned = await returnedOf(session, copy);
  const away = copy.devices.filter(({ device }) => !returned.some(({ was }) => was.device === device));
  const changes = changesFor(session, returned);
  sayPlan(world, { returned, away, changes });
  if (changes.length > 0) await confirmed(world, options.yes, `Sign ${changes.length} changes of the roster?`);
  await appendChanges(session, unlocked.keys, () => changesFor(session, returned));
  const isSame = policyDiff({ before: session.state.policy, after: copy.policy }).length === 0;
  const policy = isSame ? "unchanged" : await restorePolicy(unlocked, copy, options);
  await sendCheckpoint(unlocked);
  if (options.json === true) {
    return printJson(world, { restored: names(returned.map(({ is }) => is)), away: names(away), policy });
  }
  print(world, `${returned.length} of ${copy.devices.length} devices are as they were`);
  if (away.length > 0) print(world, "run it again when more have come over: keybound devices --redeploy");
}

function names(devices: readonly { readonly name: string }[]): readonly string[] {
  return devices.map(({ name }) => name);
}

/** Devices that have come over and are admitted: by the word of their former key, else by a name that is the same. */
async function returnedOf(session: Session, copy: TenantCopy): Promise<readonly Returned[]> {
  const former = new Map((await formerDevices(session, copy.tenant)).map((one) => [one.device, one]));
  const { tenant } = session.state;
  const taken = new Set<string>();
  const proven = copy.devices.flatMap((was) => {
    const moved = former.get(was.device)?.report?.moved;
    const is = moved?.tenant === tenant ? session.roster.devices.get(moved.device) : undefined;
    if (is === undefined) return [];
    taken.add(is.device);
    return [{ was, is, byNameAlone: false }];
  });
  const silent = copy.devices.filter(({ device }) => former.get(device)?.report?.moved === undefined);
  const named = silent.flatMap((was) => {
    const id = session.roster.names.get(was.name.toLowerCase());
    const is = id === undefined || taken.has(id) ? undefined : session.roster.devices.get(id);
    return is === undefined ? [] : [{ was, is, byNameAlone: true }];
  });
  return [...proven, ...named];
}

/** What the relay has of the organisation before; nothing where it is another relay. */
async function formerDevices(session: Session, tenant: string): Promise<readonly ListedDevice[]> {
  try {
    return await listDevices(session, { of: tenant });
  } catch (error) {
    if (error instanceof Fault && error.code === "pin-unknown") return [];
    throw error;
  }
}

function changesFor(session: Session, returned: readonly Returned[]): readonly RosterChange[] {
  return [...returned.flatMap((one) => ownChanges(session, one)), ...groupChanges(session, returned)];
}

/** Name and class, where they differ; a name that another device has by now is left alone. */
function ownChanges({ roster }: Session, { was, is: { device } }: Returned): readonly RosterChange[] {
  const now = roster.devices.get(device);
  const holder = roster.names.get(was.name.toLowerCase());
  const mayName = now !== undefined && now.name !== was.name && (holder === undefined || holder === device);
  const name: RosterChange[] = mayName ? [{ type: "device.name", device, name: was.name }] : [];
  return now === undefined || now.class === was.class
    ? name
    : [...name, { type: "device.class", device, class: was.class }];
}

/** An entry for each 256 devices that a group lacks. */
function groupChanges({ roster }: Session, returned: readonly Returned[]): readonly RosterChange[] {
  const groups = [...new Set(returned.flatMap(({ was }) => was.groups))].toSorted();
  return groups.flatMap((group) => {
    const members = returned.filter(
      ({ was, is }) => was.groups.includes(group) && !roster.groups.get(group)?.has(is.device),
    );
    return Array.from({ length: Math.ceil(members.length / MAX_GROUP_CHANGE) }, (_, page): RosterChange => {
      const some = members.slice(page * MAX_GROUP_CHANGE, (page + 1) * MAX_GROUP_CHANGE);
      return { type: "group.change", group, add: some.map(({ is }) => is.device), remove: [] };
    });
  });
}

type Plan = {
  readonly returned: readonly Returned[];
  readonly away: readonly CopiedDevice[];
  readonly changes: readonly RosterChange[];
};

function sayPlan(world: World, { returned, away, changes }: Plan): void {
  const byName = returned.filter(({ byNameAlone }) => byNameAlone).map(({ is }) => is.name);
  if (returned.length > 0) say(world, `came over: ${foldNames(returned.map(({ is }) => is.name))}`);
  if (byName.length > 0)
    say(world, `of these known by their name alone, without a word of their former key: ${foldNames(byName)}`);
  if (away.length > 0) say(world, `not here yet: ${foldNames(away.map(({ name }) => name))}`);
  if (changes.length === 0) say(world, "names, classes and groups are as in the copy");
}

/** The policy is a question of its own: a rule of two that nobody could keep yet would stop all jobs. */
async function restorePolicy(unlocked: Unlocked, copy: TenantCopy, options: CommonOptions): Promise<string> {
  try {
    return (await offerPolicy(unlocked, copy.policy, options)).type;
  } catch (error) {
    if (!(error instanceof Fault && error.code === "not-confirmed")) throw error;
    say(unlocked.session.desk.world, "the policy was left as it is; keybound policy set changes it");
    return "left";
  }
}
