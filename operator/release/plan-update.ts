// Which of the devices an update is for: by platform, and not where the version runs already or nothing is released.
import type { Platform } from "../../protocol/platform.ts";
import { type Release, type ReleaseFile, updateFor } from "../../protocol/release.ts";
import { versionNumber } from "../../protocol/version.ts";
import type { AgentStanding } from "../devices/agent-standing.ts";
import { foldNames } from "../present/fold.ts";

export type UpdateGroup = {
  readonly platform: Platform;
  readonly file: ReleaseFile;
  readonly devices: readonly AgentStanding[];
};

export type UpdatePlan = {
  readonly groups: readonly UpdateGroup[];
  /** They run it, or a newer one, by their own word. */
  readonly upToDate: readonly AgentStanding[];
  /** The release has nothing for them. */
  readonly without: readonly AgentStanding[];
};

export function planUpdate(release: Release, standings: readonly AgentStanding[]): UpdatePlan {
  const wanted = versionNumber(release.version);
  const isThere = ({ version }: AgentStanding) => version !== undefined && versionNumber(version) >= wanted;
  const behind = standings.filter((one) => !isThere(one));
  const groups = [...Map.groupBy(behind, ({ platform }) => platform)].flatMap(([platform, devices]) => {
    const file = platform === undefined ? undefined : updateFor(release, platform);
    return platform === undefined || file === undefined ? [] : [{ platform, file, devices }];
  });
  const chosen = new Set(groups.flatMap(({ devices }) => devices));
  return {
    groups,
    upToDate: standings.filter(isThere),
    without: behind.filter((one) => !chosen.has(one)),
  };
}

/** The first `count` devices by name, and the others. */
export function splitPlan({ groups }: UpdatePlan, count: number): readonly (readonly UpdateGroup[])[] {
  const names = groups.flatMap(({ devices }) => devices.map(({ device }) => device.name));
  const first = new Set(names.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true })).slice(0, count));
  const part = (isFirst: boolean) =>
    groups.flatMap((group) => {
      const devices = group.devices.filter(({ device }) => first.has(device.name) === isFirst);
      return devices.length === 0 ? [] : [{ ...group, devices }];
    });
  return [part(true), part(false)].filter((groups_) => groups_.length > 0);
}

/** `web[1-3]: 0.1.0 to 0.2.0 (linux-x64)`, a line for each version before. */
export function planLines(release: Release, groups: readonly UpdateGroup[]): readonly string[] {
  return groups.flatMap(({ platform, devices }) =>
    [...Map.groupBy(devices, ({ version }) => version ?? "unknown")].map(
      ([before, these]) => `${namesOf(these)}: ${before} to ${release.version} (${platform})`,
    ),
  );
}

/** What is left out, and why. */
export function leftOutLines({ version }: Release, { upToDate, without }: UpdatePlan): readonly string[] {
  return [
    ...(upToDate.length === 0 ? [] : [`${namesOf(upToDate)}: ${version} or a newer one runs there already`]),
    ...[...Map.groupBy(without, ({ platform }) => platform ?? "its platform, or its platform is not known")].map(
      ([platform, these]) => `left out: ${namesOf(these)}: the release has no update for ${platform}`,
    ),
  ];
}

function namesOf(standings: readonly AgentStanding[]): string {
  return foldNames(standings.map(({ device }) => device.name));
}
