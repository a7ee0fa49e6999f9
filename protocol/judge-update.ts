// Whether a device may take an update: by the release's own signature, and by what runs there (SPEC 8.10).
import { fromBase64url } from "./bytes.ts";
import type { Platform } from "./platform.ts";
import { readRelease, type ReleaseKeys, updateFor, type VerifiedRelease } from "./release.ts";
import { refuse } from "./refusal.ts";
import type { UpdateBody } from "./update-body.ts";
import { versionNumber } from "./version.ts";

/** What a device knows when it judges an update. */
export type UpdateContext = {
  /** That its build has pinned. */
  readonly keys: ReleaseKeys;
  /** Its own; `undefined` where nothing is built for it. */
  readonly platform: Platform | undefined;
  /** The version that runs. */
  readonly running: string;
};

/** In the order of SPEC 8.10. Throws `release-*`, `update-platform` or `update-older`, or a refusal of the release's form. */
export function judgeUpdate(body: UpdateBody, context: UpdateContext): VerifiedRelease {
  const verified = readRelease(fromBase64url(body.release) ?? new Uint8Array(0), context.keys);
  checkNamed(body, verified);
  if (body.platform !== context.platform)
    throw refuse("update-platform", `for ${body.platform}, this is ${context.platform ?? "another"}`);
  if (versionNumber(body.version) <= versionNumber(context.running))
    throw refuse("update-older", `version ${body.version}, ${context.running} runs`);
  return verified;
}

function checkNamed({ version, platform, archive }: UpdateBody, { release }: VerifiedRelease): void {
  if (release.version !== version)
    throw refuse("release-other", `version ${version}, the release is ${release.version}`);
  const named = updateFor(release, platform);
  if (named?.sha256 === archive.sha256 && named.bytes === archive.size) return;
  throw refuse("release-other", `${named?.name ?? "no file"} for ${platform}`);
}
