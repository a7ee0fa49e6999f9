// What runs on each device, as it said itself: platform and processor when it asked to be admitted, the agent's version in its last report.
import { Platform } from "../../protocol/platform.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { ListedDevice } from "./listed-devices.ts";

export type AgentStanding = {
  readonly device: RosterDevice;
  /** Of programs that are built; absent where nothing is built for it, or the relay does not show the request that was admitted. */
  readonly platform?: Platform;
  /** Absent where no report of the device is known. */
  readonly version?: string;
  /** The relay's word. */
  readonly online: boolean;
};

/** For each of these devices, from what the relay lists of them. */
export function agentStandings(
  targets: readonly RosterDevice[],
  listed: readonly ListedDevice[],
): readonly AgentStanding[] {
  const byRequest = new Map(listed.map((one) => [one.requestId, one]));
  return targets.map((device) => standingOf(device, byRequest.get(device.request)));
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
    online: listed?.online === true,
    ...(platform === undefined ? {} : { platform }),
    ...(version === undefined ? {} : { version }),
  };
}
