// What `keybound verify` says of a release: a statement of whoever makes the programs, and of nobody in the organisation.
import { readRelease } from "../../protocol/release.ts";
import { date } from "../present/time.ts";
import { pinnedKeys } from "../release/release-keys.ts";
import type { Reading, Words } from "./verify-known.ts";

/** Throws what `readRelease` throws, under the keys of this build. */
export function releaseStatementWords({ bytes }: Reading): Words {
  const { release, signers } = readRelease(bytes, pinnedKeys());
  const names = release.files.map(({ name }) => name);
  return {
    says: [
      `a release of Keybound ${release.version}, built on ${date(release.builtAt)}`,
      `signed by ${signers.join(", ")}, which this build has pinned`,
      `it names ${names.length} files: ${names.join(", ")}`,
    ],
    unchecked: ["whether the files are here and of these hashes: sha256sum -c SHA256SUMS, and keybound update"],
  };
}
