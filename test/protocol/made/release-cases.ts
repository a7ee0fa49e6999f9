// Vectors of releases and of updates as a device judges them.
import { encodeStrict } from "../../../protocol/strict-json.ts";
import { contentOf } from "../../cast/job-file.ts";
import { raw } from "../../cast/person.ts";
import { digestOf } from "../../cast/random.ts";
import { releaseOf, releaseSigner, type ReleaseSetup, updateOf, type UpdateSetup } from "../../cast/release.ts";
import { edited } from "../../cast/statement.ts";
import { b64, casesOf, type RefusalCase } from "./case.ts";

const [present, former] = [releaseSigner(), releaseSigner("2025")];
const PINNED = [raw(present)];

type Given = ReleaseSetup & {
  readonly keys?: readonly string[];
  readonly change?: (release: Uint8Array) => Uint8Array;
};

function given({ keys = PINNED, change = (bytes) => bytes, ...setup }: Given = {}): object {
  return { keys, release: b64(change(releaseOf(setup))) };
}

const both = [former, present];
const swapped = (release: Uint8Array) =>
  edited(release, ({ signatures: [a, b], ...json }) => ({
    ...json,
    signatures: [
      { ...a, sig: b?.sig },
      { ...b, sig: a?.sig },
    ],
  }));

export function releaseCases(): readonly RefusalCase[] {
  return casesOf("release", [
    ["release-keyless", "a release for a build that has no release key", given({ keys: [] }), given()],
    [
      "release-unsigned",
      "a release by a key that this build does not have",
      given({ signers: [former] }),
      given({ signers: both }),
    ],
    [
      "release-forged",
      "a release with the signatures of its two keys swapped",
      given({ signers: both, change: swapped }),
      given({ signers: both }),
    ],
    ["field-invalid", "a version with a zero before it", given({ version: "0.02.0" }), given({ version: "0.2.0" })],
    [
      "field-invalid",
      "two updates of one platform",
      given({ over: { files: [update("a", "linux-x64"), update("b", "linux-x64")] } }),
      given({ over: { files: [update("a", "linux-x64"), update("b", "linux-arm64")] } }),
    ],
    [
      "field-invalid",
      "an update that is of no platform",
      given({ over: { files: [update("a")] } }),
      given({ over: { files: [update("a", "linux-x64")] } }),
    ],
  ]);
}

function update(name: string, platform?: string) {
  const file = { name, use: "update", sha256: digestOf(name), bytes: 1000 };
  return platform === undefined ? file : { ...file, platform };
}

type Case = UpdateSetup & { readonly context?: object };

/** An update to 0.2.0 on a device that runs 0.1.0. */
function onDevice({ context, ...setup }: Case = {}): object {
  const body = encodeStrict({ salt: digestOf("salt"), ...updateOf(setup).work });
  return { keys: PINNED, platform: "linux-x64", running: "0.1.0", ...context, body: b64(body) };
}

const at = (running: string) => ({ running });

export function updateCases(): readonly RefusalCase[] {
  return casesOf("update", [
    [
      "release-keyless",
      "an update of a build that has no release key",
      onDevice({ context: { keys: [] } }),
      onDevice(),
    ],
    ["release-other", "another version than the release's", onDevice({ body: { version: "0.3.0" } }), onDevice()],
    [
      "release-other",
      "an archive that the release does not name",
      onDevice({ release: releaseOf({ archive: contentOf(70_001) }) }),
      onDevice({ release: releaseOf() }),
    ],
    [
      "release-other",
      "the archive of one platform named as another's",
      onDevice({ body: { platform: "linux-arm64" } }),
      onDevice(),
    ],
    [
      "update-platform",
      "an update for another platform",
      onDevice({ context: { platform: "linux-arm64" } }),
      onDevice(),
    ],
    ["update-older", "the version that runs", onDevice({ context: at("0.2.0") }), onDevice({ context: at("0.1.999") })],
    [
      "update-older",
      "an older version, of which a word would be the greater",
      onDevice({ context: at("0.10.0") }),
      onDevice({ context: at("0.1.0") }),
    ],
  ]);
}
