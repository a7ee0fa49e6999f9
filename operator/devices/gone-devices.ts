// Which devices are members and yet take no job any more, by the last word that each signed itself: its agent was uninstalled, or it
// has another owner or identity now.
import type { BindingReport } from "../../protocol/binding-report.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Session } from "../connection/session.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { foldNames } from "../present/fold.ts";
import { day } from "../present/time.ts";
import { findDevice } from "./device-name.ts";
import { type ListedDevice, listDevices } from "./listed-devices.ts";

/** How an identity ended, and when. It does not begin again: the device, installed or bound anew, is another one. */
export type Ending = { readonly why: "uninstalled" | "moved"; readonly at: number };
export type Gone = Ending & { readonly device: RosterDevice };
export type Parted = {
  readonly there: readonly RosterDevice[];
  readonly gone: readonly Gone[];
  /** All of them as the relay lists them. */
  readonly listed: readonly ListedDevice[];
};

export function endingIn(report: BindingReport | undefined): Ending | undefined {
  if (report?.left !== undefined) return { why: "uninstalled", at: report.time };
  return report?.moved === undefined ? undefined : { why: "moved", at: report.time };
}

/** `uninstalled 2026-11-20`, `another owner's since 2026-11-23`. */
export function endingWords({ why, at }: Ending): string {
  return why === "uninstalled" ? `uninstalled ${day(at)}` : `another owner's since ${day(at)}`;
}

export async function partGone(session: Session, devices: readonly RosterDevice[]): Promise<Parted> {
  if (devices.length === 0) return { there: [], gone: [], listed: [] };
  const listed = await listDevices(session, { only: devices.map(({ device }) => device) });
  const reports = new Map(listed.map(({ device, report }) => [device, report]));
  const gone = devices.flatMap((device) => {
    const ending = endingIn(reports.get(device.device));
    return ending === undefined ? [] : [{ ...ending, device }];
  });
  const ids = new Set(gone.map(({ device }) => device.device));
  return { there: devices.filter(({ device }) => !ids.has(device)), gone, listed };
}

type Named = { readonly on?: readonly string[] | undefined };

/** The same; says on stderr who is left out. Throws `device-gone` for one that was named by itself. */
export async function leaveOutGone(
  session: Session,
  devices: readonly RosterDevice[],
  { on = [] }: Named,
): Promise<Parted> {
  const parted = await partGone(session, devices);
  const { gone } = parted;
  const named = new Set(on.map((typed) => findDevice(session.roster, typed).device));
  const refused = gone.filter(({ device }) => named.has(device.device));
  if (refused.length > 0) throw new Fault("device-gone", goneWords(refused));
  if (gone.length > 0) say(session.desk.world, `left out: ${goneWords(gone)}; ${REMOVE_HINT}`);
  return parted;
}

/** The same, and throws `no-targets` where nobody is left. */
export async function requireThere(session: Session, devices: readonly RosterDevice[], named: Named): Promise<Parted> {
  const parted = await leaveOutGone(session, devices, named);
  if (parted.there.length === 0) throw new Fault("no-targets", "all of them are gone", { hint: REMOVE_HINT });
  return parted;
}

/** What to do with one that is a member still. */
export const REMOVE_HINT = "keybound devices remove NAME takes one out";

/** `web[1-2] (uninstalled 2026-11-20), db1 (another owner's since 2026-11-23)`. */
export function goneWords(gone: readonly (Ending & { readonly device: { readonly name: string } })[]): string {
  return [...Map.groupBy(gone, endingWords)]
    .map(([words, these]) => `${foldNames(these.map(({ device }) => device.name))} (${words})`)
    .join(", ");
}

/** For `--json`: nothing where nobody was left out. */
export function leftOutJson(gone: readonly Gone[]): { readonly leftOut?: readonly object[] } {
  return gone.length === 0 ? {} : { leftOut: goneJson(gone) };
}

export function goneJson(gone: readonly Gone[]): readonly object[] {
  return gone.map(({ device: { device, name }, why, at }) => ({ device, name, why, at }));
}
