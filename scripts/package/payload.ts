/** Lays out the files of the Linux packages, the same for .deb and .rpm, in a folder that stands for `/`. */
import {
  chmodSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { bundleProgram } from "../build.ts";
import { type Locked, locked, packagesOf } from "./lockfile.ts";
import { copyrightText } from "./copyright.ts";
import type { Runtime } from "./runtime.ts";

export const ROOT = join(import.meta.dirname, "../..");
const LIBRARY = "usr/libexec/keybound-agent";
const DOCUMENTS = "usr/share/doc/keybound-agent";

/** The bundles that are the agent, each with its source. */
export const PROGRAMS = {
  "keybound-agent.cjs": "agent/main.ts",
  "keybound-agent-inventory.cjs": "agent/inventory/inventory-main.ts",
} as const;

/** Files that are packed as they stand here. */
const COPIED = {
  "usr/bin/keybound-agent": "packaging/linux/keybound-agent",
  [`${LIBRARY}/bind-at-install`]: "packaging/unix/bind-at-install",
  [`${LIBRARY}/start`]: "packaging/unix/start",
  "usr/lib/systemd/system/keybound-agent.service": "packaging/systemd/keybound-agent.service",
  [`${DOCUMENTS}/README`]: "packaging/linux/README",
} as const;

const EXECUTABLE = new Set(
  ["bind-at-install", "start", "node"].map((name) => `${LIBRARY}/${name}`).concat("usr/bin/keybound-agent"),
);

export type Payload = {
  readonly folder: string;
  /** The packages that are in it, the runtime's among them. */
  readonly contains: readonly Locked[];
  readonly bytes: number;
};

/** Everything but what is the format's own. All files get the modes and times that they are packed with. */
export async function layOut(
  folder: string,
  runtime: Runtime,
  { version, epochS }: { readonly version: string; readonly epochS: number },
): Promise<Payload> {
  const at = (path: string) => join(folder, path);
  for (const path of [LIBRARY, DOCUMENTS, "etc/keybound"]) mkdirSync(at(path), { recursive: true });
  const sources: string[] = [];
  for (const [name, entry] of Object.entries(PROGRAMS))
    sources.push(...(await bundleProgram(entry, at(`${LIBRARY}/${name}`))));
  for (const [to, from] of Object.entries(COPIED)) {
    mkdirSync(dirname(at(to)), { recursive: true });
    copyFileSync(join(ROOT, from), at(to));
  }
  copyFileSync(runtime.node, at(`${LIBRARY}/node`));
  // What the starter compares versions that came by an update with.
  writeFileSync(at(`${LIBRARY}/version`), `${version}\n`);
  const bundled = packagesOf(sources);
  writeFileSync(at(`${DOCUMENTS}/copyright`), copyrightText(bundled, readFileSync(runtime.licence, "utf8")));
  return { folder, contains: [...bundled, locked(runtime.packageName)], bytes: settle(folder, epochS) };
}

/** Sets the mode and time of everything below, and returns the size of the files. */
function settle(folder: string, epochS: number): number {
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  let bytes = 0;
  for (const path of entries) {
    const full = join(folder, path);
    const entry = statSync(full);
    if (entry.isFile()) bytes += entry.size;
    chmodSync(full, path === "etc/keybound" ? 0o700 : entry.isDirectory() || EXECUTABLE.has(path) ? 0o755 : 0o644);
  }
  for (const path of ["", ...entries]) lutimesSync(join(folder, path), epochS, epochS);
  chmodSync(folder, 0o755);
  return bytes;
}
