// A folder with a release: what its release.json says, proved by the keys that this build has pinned, and its files held against that.
import { statSync } from "node:fs";
import { join } from "node:path";
import { MAX_ENVELOPE_BYTES } from "../../protocol/limits.ts";
import type { Random } from "../../protocol/seal.ts";
import { refuse } from "../../protocol/refusal.ts";
import { readRelease, type Release, type ReleaseFile, type ReleaseKeys } from "../../protocol/release.ts";
import { Fault, systemCode } from "../fault.ts";
import { type SealedFile, sealFile } from "../files/seal-file.ts";
import { readBounded } from "../home/stored-file.ts";

export type ReleaseFolder = {
  readonly folder: string;
  readonly release: Release;
  /** The envelope as it stands there. */
  readonly envelope: Uint8Array;
};

/** Throws `file-missing` or what `readRelease` throws. */
export function openRelease(folder: string, keys: ReleaseKeys): ReleaseFolder {
  const envelope = readBounded(join(folder, "release.json"), MAX_ENVELOPE_BYTES);
  return { folder, envelope, release: readRelease(envelope, keys).release };
}

/** One of its files, sealed. Throws `file-missing`, or `release-other` where it is not the one that was signed. */
export async function sealReleased(
  { folder }: ReleaseFolder,
  { name, bytes, sha256 }: ReleaseFile,
  random: Random,
): Promise<SealedFile> {
  const local = join(folder, name);
  const size = sizeOf(local);
  if (size !== bytes) throw refuse("release-other", `${name} has ${size} bytes, the release says ${bytes}`);
  const sealed = await sealFile({ local, path: name, size, mode: 0o600, owner: undefined }, random);
  if (sealed.entry.sha256 !== sha256)
    throw refuse("release-other", `${name} is of another SHA-256 than the release says`);
  return sealed;
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw new Fault("file-missing", `${path} (${systemCode(error) ?? "unknown"})`, { cause: error });
  }
}
