/** Brings the Node that package-lock.json pins for a platform, whichever platform this is. Its archive is checked each time. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { locked } from "./lockfile.ts";

const CACHE = join(import.meta.dirname, "../../node_modules/.cache/keybound-runtimes");

export type Runtime = { readonly node: string; readonly licence: string; readonly packageName: string };

/** Unpacks the program and its licence into this folder. Throws where the registry's archive is not the lockfile's. */
export function bringRuntime(packageName: string, folder: string): Runtime {
  const archive = archiveOf(packageName);
  mkdirSync(folder, { recursive: true });
  const wanted = ["package/bin/node", "package/LICENSE"];
  execFileSync("tar", ["-xzf", archive, "-C", folder, "--strip-components=1", "--no-same-owner", ...wanted]);
  return { node: join(folder, "bin/node"), licence: join(folder, "LICENSE"), packageName };
}

function archiveOf(packageName: string): string {
  const { version, integrity } = locked(packageName);
  const archive = join(CACHE, `${packageName}-${version}.tgz`);
  if (!existsSync(archive)) download(`${packageName}@${version}`);
  const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (found === integrity) return archive;
  rmSync(archive);
  throw new Error(`${archive} has ${found}, package-lock.json has ${integrity}; it was deleted`);
}

function download(specification: string): void {
  mkdirSync(CACHE, { recursive: true });
  execFileSync("npm", ["pack", "--silent", "--pack-destination", CACHE, specification], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}
