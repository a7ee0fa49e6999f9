// Which devices a job is for: names and groups of the signed roster, made into device ids here.
import type { Roster, RosterDevice } from "../../protocol/roster.ts";
import { Fault } from "../fault.ts";
import { findDevice } from "./device-name.ts";

export type TargetOptions = {
  readonly on?: readonly string[];
  readonly group?: readonly string[];
  readonly all?: boolean;
};

/** Each device once, by name. Throws `misuse`, `device-*`, `group-*` or `no-targets`. */
export function chooseTargets(
  roster: Roster,
  { on = [], group = [], all = false }: TargetOptions,
): readonly RosterDevice[] {
  const named = on.map((typed) => findDevice(roster, typed));
  const grouped = group.flatMap((name) => membersOf(roster, name));
  const everyone = all ? [...roster.devices.values()] : [];
  const chosen = new Map([...named, ...grouped, ...everyone].map((device) => [device.device, device]));
  if (chosen.size === 0) throw new Fault("no-targets", "the roster is empty");
  return [...chosen.values()].toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** Throws `misuse` where nobody is named at all, before anything is asked. */
export function requireTargets({ on, group, all }: TargetOptions): void {
  if (on === undefined && group === undefined && all !== true) {
    throw new Fault("misuse", "on which devices? --on NAME, --group GROUP or --all");
  }
}

function membersOf(roster: Roster, name: string): readonly RosterDevice[] {
  const ids = roster.groups.get(name);
  if (ids === undefined) throw new Fault("group-unknown", name);
  if (ids.size === 0) throw new Fault("group-empty", name);
  return [...ids].flatMap((id) => roster.devices.get(id) ?? []);
}
