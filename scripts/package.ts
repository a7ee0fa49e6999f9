/**
 * Makes the packages that ship, under dist/packages/, with SHA256SUMS of them all: `npm run package`.
 *
 * The same commit makes the same bytes. The time that the packages bear is SOURCE_DATE_EPOCH, or the commit's.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { epochS } from "./package/epoch.ts";
import { LINUX, makeLinuxPackages } from "./package/linux.ts";
import { makeUpdates } from "./package/update.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDER = join(ROOT, "dist/packages");

async function makeAll(): Promise<void> {
  rmSync(FOLDER, { recursive: true, force: true });
  const settings = { version: manifest.version, epochS: epochS(), folder: FOLDER };
  for (const processor of ["x64", "arm64"] as const satisfies readonly (keyof typeof LINUX)[])
    (await makeLinuxPackages({ ...settings, processor })).forEach(say);
  (await makeUpdates(settings)).forEach(say);
  writeFileSync(join(FOLDER, "SHA256SUMS"), sums());
  say(join(FOLDER, "SHA256SUMS"));
}

/** As sha256sum writes them. */
function sums(): string {
  const sum = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(FOLDER, name)))
      .digest("hex");
  return readdirSync(FOLDER)
    .toSorted()
    .map((name) => `${sum(name)}  ${name}\n`)
    .join("");
}

function say(file: string): void {
  console.log(`dist/packages/${basename(file)} ${(statSync(file).size / 1024).toFixed(1)} KiB`);
}

try {
  await makeAll();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
