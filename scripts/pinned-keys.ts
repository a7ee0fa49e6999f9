/** The release keys that a build pins: read, admitted, and put where the programs import packaging/release-keys.json. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Plugin } from "esbuild";
import * as v from "valibot";
import { fromBase64url } from "../protocol/bytes.ts";
import { Digest } from "../protocol/fields.ts";
import { admitKey } from "../protocol/key-admission.ts";
import { MAX_SIGNATURES } from "../protocol/limits.ts";

/** Raw Ed25519 keys in base64url. More than a release can bear would be of no use. */
const Keys = v.pipe(v.array(Digest), v.maxLength(MAX_SIGNATURES));

/** Throws where the file holds anything else, or a key that is not admitted (SPEC 3.1). */
export function readPinnedKeys(file: string): readonly string[] {
  const { success, output } = v.safeParse(Keys, JSON.parse(readFileSync(file, "utf8")));
  if (!success) throw new Error(`${file}: must be a list of up to ${MAX_SIGNATURES} Ed25519 keys in base64url`);
  for (const key of output) admitKey(fromBase64url(key) ?? new Uint8Array(0));
  return output;
}

/** Without a file, the repository's own. */
export function releaseKeysPlugin(file: string | undefined): Plugin {
  return {
    name: "release-keys",
    setup: (build) => {
      build.onLoad({ filter: /[\\/]packaging[\\/]release-keys\.json$/ }, ({ path }) => ({
        contents: JSON.stringify(readPinnedKeys(file === undefined ? path : resolve(file))),
        loader: "json",
      }));
    },
  };
}
