// The packages under test, made once for all of these tests, and machines on which they are installed.
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { makeLinuxPackages } from "../../scripts/package/linux.ts";
import { pinOf } from "../../protocol/pin.ts";
import type { Tenant } from "../cast/tenant.ts";
import type { Estate } from "../e2e/estate.ts";
import type { Machine } from "./machine.ts";
import { installTools } from "./tools.ts";

export const NOW_VERSION = "0.1.0";
export const NEXT_VERSION = "0.1.1";
const EPOCH_S = 1_790_000_000;

export type Packages = { readonly folder: string; [Symbol.dispose](): void };

/** Both versions for this machine's processor. They differ by their number alone: what is in them is this tree's. */
export async function makePackages(): Promise<Packages> {
  installTools();
  const folder = mkdtempSync(join(tmpdir(), "keybound-packages-"));
  const processor = process.arch === "arm64" ? "arm64" : "x64";
  for (const version of [NOW_VERSION, NEXT_VERSION])
    await makeLinuxPackages({ processor, version, epochS: EPOCH_S, folder });
  for (const version of [NOW_VERSION, NEXT_VERSION]) {
    const deb = `keybound-agent_${version}_${processor === "x64" ? "amd64" : "arm64"}.deb`;
    const rpm = `keybound-agent-${version}-1.${processor === "x64" ? "x86_64" : "aarch64"}.rpm`;
    copyFileSync(join(folder, deb), join(folder, `${version}.deb`));
    copyFileSync(join(folder, rpm), join(folder, `${version}.rpm`));
  }
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The line that installs a version. */
export function dpkg(version: string): string {
  return `dpkg -i /srv/shared/${version}.deb`;
}

/** Puts a tenant's deployment on the machine, and returns what the install command says with it. */
export function deploymentOn(machine: Machine, { estate, tenant }: { estate: Estate; tenant: Tenant }) {
  const file = estate.package(tenant);
  const inside = `/srv/${basename(file)}`;
  machine.write(inside, readFileSync(file));
  return { KEYBOUND_DEPLOYMENT: inside, KEYBOUND_TRUST: pinOf(tenant.id) };
}

/** Every file of the package on a machine, with its mode, owner and sum. */
export const FILES =
  "find /usr/libexec/keybound-agent /usr/bin/keybound-agent /usr/lib/systemd/system/keybound-agent.service " +
  "/usr/share/doc/keybound-agent -type f -printf '%p %m %u:%g ' -exec sh -c 'sha256sum < \"$1\"' sh {} \\; | sort";

/** Files of the package that are gone, that say something else, and that anybody may write. */
export const DAMAGE =
  "rm /usr/libexec/keybound-agent/bind-at-install /usr/lib/systemd/system/keybound-agent.service; " +
  "rm /usr/libexec/keybound-agent/node; echo 'throw 1' > /usr/libexec/keybound-agent/keybound-agent.cjs; " +
  "chmod 0777 /usr/bin/keybound-agent";
