// Some of a job's devices: those that were named, or all.
import type { Roster } from "../../protocol/roster.ts";
import { chooseTargets, type TargetOptions } from "../devices/choose-targets.ts";
import { Fault } from "../fault.ts";
import { foldNames } from "../present/fold.ts";

export type DeviceChoice = Pick<TargetOptions, "on" | "group">;

/** Whether a device is meant. Throws `device-not-of-job` for one that was named by itself and is none of these. */
export function chosenAmong(
  roster: Roster,
  targets: readonly string[],
  { on, group }: DeviceChoice,
): (device: string) => boolean {
  if (on === undefined && group === undefined) return () => true;
  const named = on === undefined ? [] : chooseTargets(roster, { on });
  const strangers = named.filter(({ device }) => !targets.includes(device));
  if (strangers.length > 0) throw new Fault("device-not-of-job", foldNames(strangers.map(({ name }) => name)));
  const grouped = group === undefined ? [] : chooseTargets(roster, { group });
  const ids = new Set([...named, ...grouped].map(({ device }) => device));
  return (device) => ids.has(device);
}
