// Which devices a script is for, by the platform that each signed when it asked to be admitted.
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Session } from "../connection/session.ts";
import { Fault } from "../fault.ts";
import type { Header } from "../library/header.ts";
import { foldNames } from "../present/fold.ts";
import { listDevices } from "./listed-devices.ts";

type Fitting = { readonly fits: readonly RosterDevice[]; readonly others: readonly Other[] };
type Other = { readonly device: RosterDevice; readonly platform: string };

/**
 * Parts the devices. The word of a platform is the enrolment request that the roster names by its id; where the relay shows no such
 * request the platform is unknown, and the device counts as one that the script is not for.
 */
export async function fittingDevices(
  session: Session,
  targets: readonly RosterDevice[],
  { platforms }: Pick<Header, "platforms">,
): Promise<Fitting> {
  if (platforms.length === 0) return { fits: targets, others: [] };
  const listed = new Map((await listDevices(session)).map((one) => [one.requestId, one.request.platform]));
  const known = targets.map((device) => ({ device, platform: listed.get(device.request) ?? "unknown" }));
  const fitting = (platform: string) => platforms.some((one) => one === platform);
  return {
    fits: known.filter(({ platform }) => fitting(platform)).map(({ device }) => device),
    others: known.filter(({ platform }) => !fitting(platform)),
  };
}

/** `web[1-3] (windows), db1 (unknown)`. */
export function othersWords(others: readonly Other[]): string {
  const groups = Map.groupBy(others, ({ platform }) => platform);
  return [...groups]
    .map(([platform, these]) => `${foldNames(these.map(({ device }) => device.name))} (${platform})`)
    .join(", ");
}

/** Throws `platform-other` where one of them does not fit. */
export function requireFitting({ others }: Fitting, { name, platforms }: Header): void {
  if (others.length === 0) return;
  throw new Fault("platform-other", `${name} is for ${platforms.join(", ")}, not for ${othersWords(others)}`);
}
