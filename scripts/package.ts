/**
 * Makes the packages that ship, under dist/packages/, with SHA256SUMS of them all: `npm run package`; with `-- --only PART`
 * that part alone.
 *
 * KEYBOUND_SIGN_WINDOWS, KEYBOUND_SIGN_MACOS and KEYBOUND_SIGN_RPM name programs that sign the file which is their one argument, in its place.
 * The same commit makes the same bytes. The time that the packages bear is SOURCE_DATE_EPOCH, or the commit's.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { epochS } from "./package/epoch.ts";
import { LINUX, makeLinuxPackages } from "./package/linux.ts";
import { makeMacosPackage } from "./package/macos.ts";
import { makeOneFiles } from "./package/one-file.ts";
import { makeUpdates } from "./package/update.ts";
import { makeMsi } from "./package/windows/msi.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDER = join(ROOT, "dist/packages");

const SIGNERS = {
  macos: process.env["KEYBOUND_SIGN_MACOS"],
  windows: process.env["KEYBOUND_SIGN_WINDOWS"],
  rpm: process.env["KEYBOUND_SIGN_RPM"],
};

type Settings = { readonly version: string; readonly epochS: number; readonly folder: string };
type Maker = (settings: Settings) => Promise<readonly string[]>;

const PARTS: Readonly<Record<string, Maker>> = {
  linux: async (settings) => {
    const made: string[] = [];
    for (const processor of ["x64", "arm64"] as const satisfies readonly (keyof typeof LINUX)[])
      made.push(...(await makeLinuxPackages({ ...settings, ...signedBy(SIGNERS.rpm), processor })));
    return made;
  },
  macos: async (settings) => {
    const made: string[] = [];
    for (const processor of ["x64", "arm64"] as const)
      made.push(...(await makeMacosPackage({ ...settings, ...signedBy(SIGNERS.macos), processor })));
    return made;
  },
  windows: async (settings) => await makeMsi({ ...settings, ...signedBy(SIGNERS.windows) }),
  updates: async (settings) => await makeUpdates({ ...settings, ...signedBy(SIGNERS.windows) }),
  programs: async (settings) => await makeOneFiles({ ...settings, signers: SIGNERS }),
};

function signedBy(signer: string | undefined): { readonly sign?: (file: string) => void } {
  return signer === undefined ? {} : { sign: (file) => void execFileSync(signer, [file], { stdio: "inherit" }) };
}

async function makeAll(makers: readonly Maker[]): Promise<void> {
  rmSync(FOLDER, { recursive: true, force: true });
  const settings = { version: manifest.version, epochS: epochS(), folder: FOLDER };
  for (const make of makers) (await make(settings)).forEach(say);
  writeFileSync(join(FOLDER, "SHA256SUMS"), sums());
  say(join(FOLDER, "SHA256SUMS"));
}

/** What the command line asks for: everything, or one part. `undefined` when it cannot be understood. */
function wanted(args: readonly string[]): readonly Maker[] | undefined {
  if (args.length === 0) return Object.values(PARTS);
  const [option, name, ...more] = args;
  const maker = name === undefined || !Object.hasOwn(PARTS, name) ? undefined : PARTS[name];
  return option === "--only" && maker !== undefined && more.length === 0 ? [maker] : undefined;
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

const makers = wanted(process.argv.slice(2));
if (makers === undefined) {
  console.error(`usage: npm run package [-- --only ${Object.keys(PARTS).join("|")}]`);
  process.exitCode = 2;
} else {
  try {
    await makeAll(makers);
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
