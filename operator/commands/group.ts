// `keybound group`: named sets of devices, in the signed roster, so that the relay's word never decides who gets a job.
import type { Roster } from "../../protocol/roster.ts";
import { MAX_GROUP_CHANGE } from "../../protocol/limits.ts";
import { appendChanges, type RosterChange } from "../devices/append-roster.ts";
import { confirmed } from "../ask.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { findDevice } from "../devices/device-name.ts";
import { Fault } from "../fault.ts";
import { MAX_GROUP_DEVICES } from "../limits.ts";
import { foldNames } from "../present/fold.ts";
import { table } from "../present/table.ts";
import { openSession } from "../connection/session.ts";
import { openUnlocked, sendCheckpoint } from "../unlock/unlock.ts";
import type { World } from "../world.ts";
import { word } from "../deployment/terms.ts";

export async function groups(world: World, options: CommonOptions): Promise<void> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const rows = [...session.roster.groups.keys()]
    .toSorted()
    .map((group) => ({ group, devices: namesIn(session.roster, group) }));
  if (options.json === true) return printJson(world, rows);
  if (rows.length === 0) return say(world, "no groups yet: keybound group add GROUP DEVICE...");
  print(
    world,
    await table(
      ["GROUP", "DEVICES", "NAMES"],
      rows.map(({ group, devices }) => [group, String(devices.length), foldNames(devices) || "-"]),
    ),
  );
}

export async function showGroup(world: World, group: string, options: CommonOptions): Promise<void> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  requireGroup(session.roster, group);
  const devices = namesIn(session.roster, group);
  if (options.json === true) return printJson(world, { group, devices });
  for (const device of devices) print(world, device);
}

type Membership = { readonly group: string; readonly devices: readonly string[] };

export async function addToGroup(world: World, { group, devices }: Membership, options: CommonOptions): Promise<void> {
  await changeMembers(world, options, { group: word("group", group), devices, add: true });
}

export async function removeFromGroup(
  world: World,
  { group, devices }: Membership,
  options: CommonOptions,
): Promise<void> {
  await changeMembers(world, options, { group, devices, add: false });
}

async function changeMembers(
  world: World,
  options: CommonOptions,
  { group, devices, add }: Membership & { readonly add: boolean },
): Promise<void> {
  if (devices.length > MAX_GROUP_DEVICES)
    throw new Fault("misuse", `${devices.length} devices, at most ${MAX_GROUP_DEVICES}`);
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  if (!add) requireGroup(session.roster, group);
  const ids = [...new Set(devices.map((typed) => findDevice(session.roster, typed).device))];
  await appendChanges(session, unlocked.keys, () => membershipChanges(group, ids, add));
  await sendCheckpoint(unlocked);
  const names = namesIn(session.roster, group);
  if (options.json === true) return printJson(world, { group, devices: names });
  print(world, `${group}: ${foldNames(names) || "no devices"}`);
}

function membershipChanges(group: string, ids: readonly string[], add: boolean): readonly RosterChange[] {
  return Array.from({ length: Math.ceil(ids.length / MAX_GROUP_CHANGE) }, (_, page) => {
    const some = ids.slice(page * MAX_GROUP_CHANGE, (page + 1) * MAX_GROUP_CHANGE);
    return { type: "group.change", group, add: add ? some : [], remove: add ? [] : some };
  });
}

export async function deleteGroup(world: World, group: string, options: CommonOptions): Promise<void> {
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  requireGroup(session.roster, group);
  const count = namesIn(session.roster, group).length;
  await confirmed(world, options.yes, `The group ${group} with ${count} devices goes; the devices stay. Delete it?`);
  await appendChanges(session, unlocked.keys, () => [{ type: "group.remove", group }]);
  await sendCheckpoint(unlocked);
  if (options.json === true) return printJson(world, { group });
  print(world, `deleted ${group}`);
}

/** Names of a group's devices in the order of a person's eye. Throws `group-unknown`. */
function namesIn(roster: Roster, group: string): readonly string[] {
  const members = [...requireGroup(roster, group)].flatMap((id) => roster.devices.get(id)?.name ?? []);
  return members.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

function requireGroup(roster: Roster, group: string): ReadonlySet<string> {
  const members = roster.groups.get(group);
  if (members === undefined) throw new Fault("group-unknown", group);
  return members;
}
