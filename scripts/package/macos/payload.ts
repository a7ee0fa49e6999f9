/** Lays out what the macOS package installs: the agent with its Node, the scripts around it, and the service. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bundleProgram } from "../../build.ts";
import { copyrightText } from "../copyright.ts";
import { type Locked, locked, packagesOf } from "../lockfile.ts";
import { PROGRAMS, ROOT } from "../payload.ts";
import type { Runtime } from "../runtime.ts";
import { type Entry, type File, treeOf } from "./tree.ts";

const PROGRAM = "usr/local/libexec/keybound-agent";

/** Files that are packed as they stand in the repository. */
const COPIED = {
  [`${PROGRAM}/keybound-agent`]: "packaging/macos/keybound-agent",
  [`${PROGRAM}/keybound-agent-service`]: "packaging/macos/keybound-agent-service",
  [`${PROGRAM}/clean-environment`]: "packaging/macos/clean-environment",
  [`${PROGRAM}/start`]: "packaging/unix/start",
  [`${PROGRAM}/bind-at-install`]: "packaging/unix/bind-at-install",
  [`${PROGRAM}/uninstall`]: "packaging/macos/uninstall",
  [`${PROGRAM}/README`]: "packaging/macos/README",
  "Library/LaunchDaemons/io.keybound.agent.plist": "packaging/macos/io.keybound.agent.plist",
} as const;

const PLAIN_FILES = /\/(clean-environment|README|[^/]+\.plist)$/;

export type MacosPayload = {
  readonly entries: readonly Entry[];
  /** The packages that are in it, the runtime's among them. */
  readonly contains: readonly Locked[];
};

/** `work` is a folder for what is made on the way. */
export async function macosPayload(runtime: Runtime, version: string, work: string): Promise<MacosPayload> {
  const files: File[] = Object.entries(COPIED).map(([path, from]) => {
    return {
      type: "file",
      path,
      mode: PLAIN_FILES.test(path) ? 0o644 : 0o755,
      content: readFileSync(join(ROOT, from)),
    };
  });
  const plain = (name: string, content: Uint8Array) =>
    files.push({ type: "file", path: `${PROGRAM}/${name}`, mode: 0o644, content });
  const sources: string[] = [];
  for (const [name, entry] of Object.entries(PROGRAMS)) {
    sources.push(...(await bundleProgram(entry, join(work, name))));
    plain(name, readFileSync(join(work, name)));
  }
  const bundled = packagesOf(sources);
  plain("version", Buffer.from(`${version}\n`));
  plain("copyright", Buffer.from(copyrightText(bundled, readFileSync(runtime.licence, "utf8"))));
  files.push({ type: "file", path: `${PROGRAM}/node`, mode: 0o755, content: readFileSync(runtime.node) });
  return { entries: treeOf(files), contains: [...bundled, locked(runtime.packageName)] };
}
