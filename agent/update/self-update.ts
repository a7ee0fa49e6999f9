// The agent's own program as far as an update needs it: what runs, which keys it trusts for releases, and where another version goes.
import { judgeUpdate } from "../../protocol/judge-update.ts";
import { Platform } from "../../protocol/platform.ts";
import { refuse } from "../../protocol/refusal.ts";
import type { ReleaseKeys } from "../../protocol/release.ts";
import type { UpdateBody } from "../../protocol/update-body.ts";
import { canUpdate, type Versions } from "./versions.ts";

export type SelfUpdate = {
  readonly keys: ReleaseKeys;
  /** What is built for this machine, such as `linux-x64`; `undefined` where nothing is. */
  readonly platform: Platform | undefined;
  readonly versions: Versions;
  /** Whether somebody starts this agent again when it has ended; otherwise an update would be its last act. */
  readonly isStartedAgain: boolean;
  /** Ends this process in good order, so that its starter begins anew. */
  readonly restart: () => void;
};

/** `platform` and `arch` as a `Machine` has them. */
export function builtPlatform({
  platform,
  arch,
}: {
  readonly platform: string;
  readonly arch: string;
}): Platform | undefined {
  return Platform.options.find((built) => built === `${platform}-${arch}`);
}

/** Throws what `judgeUpdate` throws, and `update-place` where this agent cannot be replaced by itself. */
export function checkUpdate(body: UpdateBody, { keys, platform, versions, isStartedAgain }: SelfUpdate): void {
  judgeUpdate(body, { keys, platform, running: versions.running });
  if (!isStartedAgain) throw refuse("update-place", "no service manager starts this agent again when it has ended");
  const able = canUpdate(versions);
  if (!able.can) throw refuse("update-place", able.why);
}
