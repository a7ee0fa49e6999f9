// What runs on each device, as it said itself: platform and processor when it asked to be admitted, the agent's version in its last report.
import { Platform } from "../../protocol/platform.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Session } from "../connection/session.ts";
import { type ListedDevice, listDevices } from "./listed-devices.ts";

export type AgentStanding = {
  readonly device: RosterDevice;
  /** Of programs that are built; absent where nothing is built for it, or the relay does not show the request that was admitted. */
  readonly platform?: Platform;
  /** Absent where no report of the device is known. */
  readonly version?: string;
};

/** For each of these devices. */
export async function agentStandings(
  session: Session,
  targets: readonly RosterDevice[],
): Promise<readonly AgentStanding[]> {
  const listed = new Map((await listDevices(session)).map((one) => [one.requestId, one]));
  return targets.map((device) => standingOf(device, listed.get(device.request)));
}

/** `0.2.0` of `keybound-agent 0.2.0`. */
export function versionIn(agent: string | undefined): string | undefined {
  return /^keybound-agent (\d{1,3}(?:\.\d{1,3}){2})$/.exec(agent ?? "")?.[1];
}

function standingOf(device: RosterDevice, listed: ListedDevice | undefined): AgentStanding {
  const platform = Platform.options.find((built) => built === `${listed?.request.platform}-${listed?.request.arch}`);
  const version = versionIn(listed?.report?.agent);
  return {
    device,
    ...(platform === undefined ? {} : { platform }),
    ...(version === undefined ? {} : { version }),
  };
}
