// Releases with keys made from words, and the work of an update that brings one of their files.
import { toBase64url } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { type ReleaseKeys, releaseKeys } from "../../protocol/release.ts";
import { type Signer, signerOf } from "../../protocol/signature.ts";
import { Clock } from "./clock.ts";
import { contentOf, fileFor } from "./job-file.ts";
import { raw } from "./person.ts";
import { seeded } from "./random.ts";
import { type Overrides, overridden, signFields } from "./statement.ts";

export const releaseSeed = (word = "2026"): Uint8Array => seeded(`release key ${word}`)(32);
export const releaseSigner = (word?: string): Signer => signerOf(releaseSeed(word));
export const pinnedOf = (...signers: readonly Signer[]): ReleaseKeys => releaseKeys(signers.map(raw));

export type ReleaseSetup = {
  readonly version?: string;
  /** What its update for linux-x64 is. */
  readonly archive?: Uint8Array;
  readonly signers?: readonly Signer[];
  /** Over the release's own fields. */
  readonly over?: Overrides;
};

const ARCHIVE = contentOf(70_000);

const released = (name: string, use: string, content: Uint8Array, platform: string) =>
  overridden({ name, platform, use, sha256: digest(content), bytes: content.length });

/** A release of two updates and an installer. */
export function releaseOf({ version = "0.2.0", archive = ARCHIVE, signers, over }: ReleaseSetup = {}): Uint8Array {
  const update = (platform: string, content: Uint8Array) =>
    released(`keybound-agent-${version}-${platform}.update`, "update", content, platform);
  const fields = {
    version,
    builtAt: new Clock().now,
    files: [
      update("linux-x64", archive),
      update("linux-arm64", contentOf(71_000)),
      released(`keybound-agent_${version}_amd64.deb`, "installer", contentOf(90_000), "linux-x64"),
    ],
  };
  return signFields("release", overridden(fields, over), signers ?? [releaseSigner()]);
}

export type UpdateSetup = ReleaseSetup & { readonly release?: Uint8Array; readonly body?: Overrides };

/** The body of an update but for the salt, and what the relay carries of its archive. */
export function updateOf({ release, body, ...setup }: UpdateSetup = {}) {
  const { version = "0.2.0", archive: content = ARCHIVE } = setup;
  const { file, sealed } = fileFor({ path: "update", content });
  const { path: _path, ...archive } = file;
  const own = { version, platform: "linux-x64", release: toBase64url(release ?? releaseOf(setup)), archive };
  return { work: overridden(own, body), sealed, file };
}
