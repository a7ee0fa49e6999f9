// Real builds for tests: bundles of a version with release keys of the test's own, an installed agent, and a signed release folder.
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "esbuild";
import type { Platform } from "../../protocol/platform.ts";
import type { Signer } from "../../protocol/signature.ts";
import { signRelease } from "../../protocol/release.ts";
import { bundleProgram } from "../../scripts/build.ts";
import { makeUpdates } from "../../scripts/package/update.ts";
import { releaseKeysPlugin } from "../../scripts/pinned-keys.ts";
import { releaseFiles } from "../../scripts/release/files.ts";
import { raw } from "../cast/person.ts";
import { type Changes, changesPlugin } from "../system/agent-variant.ts";

const ROOT = join(import.meta.dirname, "../..");
const NUMBERS = /const \[MAJOR, MINOR, PATCH\] = \[\d+, \d+, \d+\];/;

/** The agent's version, whatever the repository's is. */
function versionPlugin(version: string): Plugin {
  return {
    name: "version",
    setup: (build) => {
      build.onLoad({ filter: /[\\/]agent[\\/]version\.ts$/ }, ({ path }) => {
        const source = readFileSync(path, "utf8");
        if (!NUMBERS.test(source)) throw new Error("agent/version.ts has no numbers where they were");
        return {
          contents: source.replace(NUMBERS, `const [MAJOR, MINOR, PATCH] = [${version.split(".").join(", ")}];`),
          loader: "ts",
        };
      });
    },
  };
}

/** Bundles as the build makes them, of this version and with these keys pinned. */
export function bundler(
  folder: string,
  version: string,
  keys: readonly Signer[],
  changes: Changes = {},
): typeof bundleProgram {
  const file = join(folder, `keys-${version}.json`);
  writeFileSync(file, JSON.stringify(keys.map(raw)));
  const plugins = [releaseKeysPlugin(file), versionPlugin(version), changesPlugin(changes)];
  return (entry, outfile) => bundleProgram(entry, outfile, plugins);
}

/** An agent as the packages lay it down, with the starter as it ships. */
export async function install(program: string, version: string, bundle: typeof bundleProgram): Promise<void> {
  mkdirSync(program, { recursive: true });
  chmodSync(program, 0o755);
  await bundle("agent/main.ts", join(program, "keybound-agent.cjs"));
  await bundle("agent/inventory/inventory-main.ts", join(program, "keybound-agent-inventory.cjs"));
  linkOrCopy(process.execPath, join(program, "node"));
  copyFileSync(join(ROOT, "packaging/unix/start"), join(program, "start"));
  chmodSync(join(program, "start"), 0o755);
  writeFileSync(join(program, "version"), `${version}\n`);
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** A release folder with the update of this version, with the Node that ships, signed. */
export async function release(
  folder: string,
  {
    version,
    bundle,
    signers,
    platform = "linux-x64",
  }: {
    readonly version: string;
    readonly bundle: typeof bundleProgram;
    readonly signers: readonly Signer[];
    readonly platform?: Platform;
  },
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await makeUpdates({ version, epochS: 1_700_000_000, folder, platforms: [platform], bundle });
  const sum = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
  writeFileSync(
    join(folder, "SHA256SUMS"),
    readdirSync(folder)
      .toSorted()
      .map((name) => `${sum(name)}  ${name}\n`)
      .join(""),
  );
  signFolder(folder, version, signers);
}

/** Signs what stands there, by these keys alone. */
export function signFolder(folder: string, version: string, signers: readonly Signer[]): void {
  const files = [...releaseFiles(folder, version)];
  writeFileSync(join(folder, "release.json"), signRelease({ version, builtAt: 1_700_000_000_000, files }, signers));
}
