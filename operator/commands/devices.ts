// `keybound devices`: who belongs to the organisation, who asks to, and changes to either.
import type { KeyLogState } from "../../protocol/key-state.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { admission, isProven } from "../devices/admit.ts";
import { versionIn } from "../devices/agent-standing.ts";
import { appendChanges, type PlanChanges } from "../devices/append-roster.ts";
import { confirmed } from "../ask.ts";
import type { KnownHead } from "../home/cache.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { checkedName, findDevice, freeName, shortId } from "../devices/device-name.ts";
import { Fault } from "../fault.ts";
import { knownHeads } from "../keys/known-heads.ts";
import { type ListedDevice, listDevices } from "../devices/listed-devices.ts";
import { plain } from "../present/escape.ts";
import { foldNames } from "../present/fold.ts";
import { table } from "../present/table.ts";
import { ago, day } from "../present/time.ts";
import { openSession, type Session } from "../connection/session.ts";
import { openUnlocked, sendCheckpoint, type Unlocked } from "../unlock/unlock.ts";
import type { World } from "../world.ts";
import { word } from "../deployment/terms.ts";

export type ListOptions = CommonOptions & { readonly pending?: boolean };

type Row = {
  readonly id: string;
  /** Absent while the device is pending. */
  readonly name?: string;
  readonly class?: string;
  readonly groups?: readonly string[];
  readonly host?: string;
  readonly platform?: string;
  /** The version of its agent, by its last report. */
  readonly agent?: string;
  /** The relay's word; absent where the relay does not list the device. */
  readonly online?: boolean;
  readonly seenAt?: number;
  /** The latest place of the key log that the device has signed for, in a receipt or a report. */
  readonly keyLog?: number;
  /** Whether that is behind what this client knows, or on another line. */
  readonly behind?: boolean;
  /** When its agent was uninstalled, as the device signed. */
  readonly leftAt?: number;
  readonly pending: boolean;
  /** For a pending device: whether it sent a proof of a package's token, which is checked when you unlock. */
  readonly proof?: boolean;
};

export async function devices(world: World, options: ListOptions): Promise<void> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const rows = await deviceRows(session, options.pending === true);
  if (options.json === true) return printJson(world, rows);
  if (rows.length === 0)
    return say(world, options.pending === true ? "no device asks for admission" : "no devices yet");
  const waiting = rows.filter(({ pending }) => pending);
  const members = rows.filter(({ pending }) => !pending);
  if (members.length > 0) print(world, await memberTable(members, world.now()));
  sayLeft(world, members);
  if (options.pending === true) print(world, await pendingTable(waiting, world.now()));
  else if (waiting.length > 0) say(world, `${waiting.length} more ask for admission: keybound devices --pending`);
}

async function deviceRows(session: Session, onlyPending: boolean): Promise<readonly Row[]> {
  const listed = await listDevices(session);
  const pending = listed.filter(({ device }) => !session.roster.devices.has(device)).map(pendingRow);
  if (onlyPending) return pending;
  const heads = await knownHeads(session, listed);
  const byId = new Map(listed.map((device) => [device.device, device]));
  const members = [...session.roster.devices.values()].toSorted((a, b) =>
    a.name.localeCompare(b.name, "en", { numeric: true }),
  );
  const rows = members.map((member) =>
    memberRow(session, member, { listed: byId.get(member.device), head: heads.get(member.device) }),
  );
  return [...rows, ...pending];
}

function pendingRow({ device, request, online, seenAt, proof }: ListedDevice): Row {
  const { host, platform } = request;
  return { id: device, host, platform, online, seenAt, pending: true, proof: proof !== undefined };
}

function memberRow(
  { roster, state, view }: Session,
  member: RosterDevice,
  { listed, head }: { listed: ListedDevice | undefined; head: KnownHead | undefined },
): Row {
  const groups = [...roster.groups].filter(([, ids]) => ids.has(member.device)).map(([group]) => group);
  // A request that is not the admitted one says nothing: the device would have to be admitted anew.
  const own = listed?.requestId === member.request ? listed : undefined;
  const agent = versionIn(listed?.report?.agent);
  return {
    id: member.device,
    name: member.name,
    class: member.class,
    groups,
    ...(own === undefined ? {} : { host: own.request.host, platform: own.request.platform }),
    ...(listed === undefined ? {} : { online: listed.online, seenAt: listed.seenAt }),
    ...(agent === undefined ? {} : { agent }),
    ...(listed?.report?.left === undefined ? {} : { leftAt: listed.report.time }),
    ...(head === undefined ? {} : { keyLog: head.seq, behind: isBehind(head, state, view.idAt(head.seq)) }),
    pending: false,
  };
}

function isBehind({ seq, id }: KnownHead, state: KeyLogState, knownId: string | undefined): boolean {
  return seq < state.head.seq || (knownId !== undefined && knownId !== id);
}

async function memberTable(rows: readonly Row[], now: number): Promise<string> {
  const head = ["NAME", "HOST", "CLASS", "GROUPS", "STATE", "AGENT", "KEY LOG", "ID"];
  const cells = rows.map((row) => [
    row.name ?? "",
    plain(row.host ?? "-"),
    row.class ?? "",
    row.groups?.join(",") || "-",
    stateWords(row, now),
    row.agent ?? "-",
    row.keyLog === undefined ? "-" : `${row.keyLog}${row.behind === true ? " behind" : ""}`,
    shortId(row.id),
  ]);
  return table(head, cells);
}

async function pendingTable(rows: readonly Row[], now: number): Promise<string> {
  const head = ["HOST", "PLATFORM", "STATE", "PROOF", "ID"];
  const cells = rows.map((row) => [
    plain(row.host ?? ""),
    row.platform ?? "",
    stateWords(row, now),
    row.proof === true ? "sent" : "none",
    row.id,
  ]);
  return table(head, cells);
}

/** They stay members, and get jobs that nobody takes, until somebody who holds a key removes them. */
function sayLeft(world: World, members: readonly Row[]): void {
  const left = members.flatMap(({ name, leftAt }) => (name === undefined || leftAt === undefined ? [] : [name]));
  if (left.length === 0) return;
  say(world, `uninstalled, and still members: ${foldNames(left)}; keybound devices remove NAME takes one out`);
}

function stateWords({ leftAt, online, seenAt }: Row, now: number): string {
  if (leftAt !== undefined) return `uninstalled ${day(leftAt)}`;
  if (online === true) return "online";
  return seenAt === undefined ? "unknown to relay" : `seen ${ago(seenAt, now)}`;
}

// --- Changes ---

export type AdmitOptions = CommonOptions & {
  readonly name?: string;
  readonly class?: string;
  readonly group?: readonly string[];
};

export async function admitDevice(world: World, typed: string, options: AdmitOptions): Promise<void> {
  using desk = openDesk(world, options);
  const chosen = {
    name: options.name && checkedName(options.name),
    class: word("--class", options.class ?? "standard"),
  };
  const groups = (options.group ?? []).map((group) => word("--group", group));
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  const listed = await listDevices(session);
  const isDone = session.roster.devices.has(listed.find((device) => isMeant(device, typed))?.device ?? "");
  if (isDone) return say(world, `${typed} is admitted already, by its package's token`);
  const pending = findPending(session, listed, typed);
  const taken = new Set([...session.roster.devices.values()].map(({ name }) => name.toLowerCase()));
  const name = chosen.name ?? freeName(pending.request.host, taken);
  say(world, await admissionWords(unlocked, pending, name));
  await confirmed(world, options.yes, `Admit ${name}?`);
  await appendChanges(session, unlocked.keys, () => [admission(pending, { name, class: chosen.class, groups })]);
  await sendCheckpoint(unlocked);
  if (options.json === true) return printJson(world, { id: pending.device, name });
  print(world, `admitted ${name} ${pending.device}`);
}

async function admissionWords({ session, keys }: Unlocked, pending: ListedDevice, name: string): Promise<string> {
  const { device, request } = pending;
  const token = request.token === undefined ? undefined : session.roster.tokens.get(request.token);
  const proof =
    token !== undefined && (await isProven(session, keys, { listed: pending, token }))
      ? "It proved its package's token."
      : "It proved no token: compare its id with the one that `keybound-agent status` shows on the device.";
  const again = session.roster.removed.has(device) ? " It was removed before." : "";
  return `${name} says that it is ${plain(request.host)} (${request.platform}); its id is ${device}. ${proof}${again}`;
}

function isMeant({ device, request }: ListedDevice, typed: string): boolean {
  return device === typed || request.host.toLowerCase() === typed.toLowerCase();
}

function findPending(session: Session, listed: readonly ListedDevice[], typed: string): ListedDevice {
  const pending = listed.filter(({ device }) => !session.roster.devices.has(device));
  const exact = pending.filter((device) => isMeant(device, typed));
  const meant =
    exact.length > 0 ? exact : pending.filter(({ device }) => typed.length >= 6 && device.startsWith(typed));
  const [only, another] = meant;
  if (only === undefined) throw new Fault("device-not-pending", typed);
  if (another !== undefined) throw new Fault("device-ambiguous", `${typed} is ${meant.length} pending devices`);
  return only;
}

export async function nameDevice(
  world: World,
  { device, name }: { device: string; name: string },
  options: CommonOptions,
): Promise<void> {
  const chosen = checkedName(name);
  await changeDevice(world, options, {
    device,
    plan: (found) => () => [{ type: "device.name", device: found.device, name: chosen }],
    done: (found) => `${found.name} is now called ${chosen}`,
  });
}

export async function classDevice(
  world: World,
  { device, to }: { device: string; to: string },
  options: CommonOptions,
): Promise<void> {
  const chosen = word("class", to);
  await changeDevice(world, options, {
    device,
    plan: (found) => () => [{ type: "device.class", device: found.device, class: chosen }],
    done: (found) => `${found.name} is now of class ${chosen}`,
  });
}

export async function removeDevice(world: World, device: string, options: CommonOptions): Promise<void> {
  await changeDevice(world, options, {
    device,
    ask: (found) =>
      `${found.name} (${found.device}) leaves the roster and its groups: no client sends it jobs any more, and it does not come back by its old package. Remove it?`,
    plan: (found) => () => [{ type: "device.remove", device: found.device }],
    after: async (session, found) =>
      void (await session.client.ask("ok", { type: "forget-device", device: found.device })),
    done: (found) => `removed ${found.name}`,
  });
}

type Change = {
  readonly device: string;
  readonly ask?: (found: RosterDevice) => string;
  readonly plan: (found: RosterDevice) => PlanChanges;
  readonly after?: (session: Session, found: RosterDevice) => Promise<void>;
  readonly done: (found: RosterDevice) => string;
};

async function changeDevice(
  world: World,
  options: CommonOptions,
  { device, ask, plan, after, done }: Change,
): Promise<void> {
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  const found = findDevice(session.roster, device);
  if (ask !== undefined) await confirmed(world, options.yes, ask(found));
  await appendChanges(session, unlocked.keys, plan(found));
  await after?.(session, found);
  await sendCheckpoint(unlocked);
  if (options.json === true)
    return printJson(world, { id: found.device, name: session.roster.devices.get(found.device)?.name ?? found.name });
  print(world, done(found));
}
