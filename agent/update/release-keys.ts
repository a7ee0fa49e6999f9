// The keys that this build takes releases from: packaging/release-keys.json as it was when the program was built (SPEC 8.10).
import pinned from "../../packaging/release-keys.json" with { type: "json" };
import { type ReleaseKeys, releaseKeys } from "../../protocol/release.ts";

export function pinnedKeys(): ReleaseKeys {
  return releaseKeys(pinned);
}
