// Which of a job's targets can still take one: not those whose agent was uninstalled, by the goodbye that each signed itself.
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Session } from "../connection/session.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { foldNames } from "../present/fold.ts";
import { day } from "../present/time.ts";
import { findDevice } from "./device-name.ts";
import { type ListedDevice, listDevices } from "./listed-devices.ts";

export type Uninstalled = { readonly device: RosterDevice; readonly leftAt: number };
export type Installed = {
  readonly there: readonly RosterDevice[];
  readonly left: readonly Uninstalled[];
  /** All of them as the relay lists them. */
  readonly listed: readonly ListedDevice[];
};

/** Parts the devices. A goodbye is an identity's last word: the device, installed again, is another one. */
export async function partInstalled(session: Session, devices: readonly RosterDevice[]): Promise<Installed> {
  if (devices.length === 0) return { there: [], left: [], listed: [] };
  const listed = await listDevices(session, { only: devices.map(({ device }) => device) });
  const leftAt = new Map(
    listed.flatMap(({ device, report }) => (report?.left === undefined ? [] : [[device, report.time] as const])),
  );
  const left = devices.flatMap((device) => {
    const time = leftAt.get(device.device);
    return time === undefined ? [] : [{ device, leftAt: time }];
  });
  return { there: devices.filter(({ device }) => !leftAt.has(device)), left, listed };
}

type Named = { readonly on?: readonly string[] | undefined };

/** The same; says on stderr who is left out. Throws `device-uninstalled` for one that was named by itself. */
export async function leaveOutUninstalled(
  session: Session,
  devices: readonly RosterDevice[],
  { on = [] }: Named,
): Promise<Installed> {
  const parted = await partInstalled(session, devices);
  const { left } = parted;
  const named = new Set(on.map((typed) => findDevice(session.roster, typed).device));
  const refused = left.filter(({ device }) => named.has(device.device));
  if (refused.length > 0) throw new Fault("device-uninstalled", uninstalledWords(refused));
  if (left.length > 0) say(session.desk.world, `left out, uninstalled: ${uninstalledWords(left)}; ${REMOVE_HINT}`);
  return parted;
}

/** The same, and throws `no-targets` where nobody is left. */
export async function requireInstalled(
  session: Session,
  devices: readonly RosterDevice[],
  named: Named,
): Promise<Installed> {
  const parted = await leaveOutUninstalled(session, devices, named);
  if (parted.there.length === 0) throw new Fault("no-targets", "all of them were uninstalled", { hint: REMOVE_HINT });
  return parted;
}

/** What to do with one that is a member still. */
export const REMOVE_HINT = "keybound devices remove NAME takes one out";

/** `web[1-2] (2026-11-20), db1 (2026-11-23)`. */
export function uninstalledWords(left: readonly Uninstalled[]): string {
  return [...Map.groupBy(left, ({ leftAt }) => day(leftAt))]
    .map(([on, these]) => `${foldNames(these.map(({ device }) => device.name))} (${on})`)
    .join(", ");
}

/** For `--json`: nothing where nobody was left out. */
export function leftOutJson(left: readonly Uninstalled[]): { readonly leftOut?: readonly object[] } {
  return left.length === 0 ? {} : { leftOut: uninstalledJson(left) };
}

export function uninstalledJson(left: readonly Uninstalled[]): readonly object[] {
  return left.map(({ device: { device, name }, leftAt }) => ({ device, name, why: "uninstalled", leftAt }));
}
