/**
 * Makes a flat package, as macOS' Installer takes it: a xar of the Distribution and of one component, which is its Bom, PackageInfo,
 * Payload and Scripts. The same bytes from the same entries, version and time.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ROOT } from "../payload.ts";
import { bomOf } from "./bom.ts";
import { cpioOf } from "./cpio.ts";
import { type Entry, treeOf } from "./tree.ts";
import { xarOf } from "./xar.ts";

const SOURCES = join(ROOT, "packaging/macos");
const SCRIPTS = { preinstall: 0o755, postinstall: 0o755, surroundings: 0o644 } as const;
/** What Node is linked for (its LC_BUILD_VERSION says minos 13.5). */
const MINIMUM_MACOS = "13.5";
/** gzip(1)'s default takes a third of the time of the highest level, for 1 % more bytes. */
const LEVEL = 6;

const compress = promisify(gzip);

export type PackageOptions = {
  readonly version: string;
  /** As Apple calls the processor. */
  readonly architecture: "x86_64" | "arm64";
  readonly epochS: number;
};

export async function flatPackage(entries: readonly Entry[], options: PackageOptions): Promise<Uint8Array> {
  const { version, architecture, epochS } = options;
  const bytes = entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.content.length : 0), 0);
  const values = {
    "@VERSION@": version,
    "@ARCHITECTURE@": architecture,
    "@MINIMUM_MACOS@": MINIMUM_MACOS,
    "@INSTALLED_KIB@": String(Math.ceil(bytes / 1024)),
    // The top folder is one of them.
    "@FILES@": String(entries.length + 1),
  };
  const filled = (name: string) => {
    const text = readFileSync(join(SOURCES, name), "utf8");
    return Buffer.from(Object.entries(values).reduce((part, [mark, value]) => part.replaceAll(mark, value), text));
  };
  const scripts = Object.entries(SCRIPTS).map(([name, mode]) => {
    return { type: "file", path: name, mode, content: filled(`scripts/${name}`) } as const;
  });
  const component = [
    { name: "Bom", content: bomOf(entries, epochS) },
    { name: "PackageInfo", content: filled("package-info.xml") },
    { name: "Payload", content: await packed(entries, epochS) },
    { name: "Scripts", content: await packed(treeOf(scripts), epochS) },
  ];
  const distribution = { name: "Distribution", content: filled("distribution.xml") };
  return xarOf([distribution, { name: "keybound-agent.pkg", files: component }], epochS);
}

async function packed(entries: readonly Entry[], epochS: number): Promise<Uint8Array> {
  return await compress(Buffer.concat(cpioOf(entries, epochS)), { level: LEVEL });
}
