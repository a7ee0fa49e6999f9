/**
 * Makes the packages that ship, under dist/packages/, with SHA256SUMS of them all: `npm run package`.
 *
 * The same commit makes the same bytes. The time that the packages bear is SOURCE_DATE_EPOCH, or the commit's.
 * KEYBOUND_SIGN_MACOS names a program that signs the macOS package which is its one argument, in its place.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { LINUX, makeLinuxPackages } from "./package/linux.ts";
import { makeMacosPackage } from "./package/macos.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDER = join(ROOT, "dist/packages");

function epochS(): number {
  const given = process.env["SOURCE_DATE_EPOCH"];
  const text = given ?? execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" }).trim();
  if (!/^\d{1,11}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH is ${text}, must be seconds since 1970`);
  return Number(text);
}

async function makeAll(): Promise<void> {
  rmSync(FOLDER, { recursive: true, force: true });
  const settings = { version: manifest.version, epochS: epochS(), folder: FOLDER };
  for (const processor of ["x64", "arm64"] as const satisfies readonly (keyof typeof LINUX)[])
    (await makeLinuxPackages({ ...settings, processor })).forEach(say);
  for (const processor of ["x64", "arm64"] as const)
    (await makeMacosPackage({ ...settings, ...macosSigner(), processor })).forEach(say);
  writeFileSync(join(FOLDER, "SHA256SUMS"), sums());
  say(join(FOLDER, "SHA256SUMS"));
}

function macosSigner(): { readonly sign?: (file: string) => void } {
  const signer = process.env["KEYBOUND_SIGN_MACOS"];
  return signer === undefined ? {} : { sign: (file) => void execFileSync(signer, [file], { stdio: "inherit" }) };
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
