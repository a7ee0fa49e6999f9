// The packages under test, made once for all of these tests, and machines on which they are installed.
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { makeLinuxPackages } from "../../scripts/package/linux.ts";
import { pinOf } from "../../protocol/pin.ts";
import type { Tenant } from "../cast/tenant.ts";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { Desk, Estate } from "../e2e/estate.ts";
import { Machine } from "./machine.ts";
import type { RootOptions } from "./root.ts";
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

export type Surroundings = { readonly packages: Packages; readonly estate: Estate };

/** The packages and a relay on the host, there while the tests of the file run that calls this at its top. */
export function forAllTests(): Surroundings {
  let made: Surroundings | undefined;
  beforeAll(async () => {
    made = { packages: await makePackages(), estate: await Estate.open() };
  });
  afterAll(async () => {
    await made?.estate[Symbol.asyncDispose]();
    made?.packages[Symbol.dispose]();
  });
  const there = (): Surroundings => {
    if (made === undefined) throw new Error("internal error: not before the tests");
    return made;
  };
  return {
    get packages() {
      return there().packages;
    },
    get estate() {
      return there().estate;
    },
  };
}

let count = 0;

/** A machine that runs until the test ends, with nothing of ours on it, and an organisation. */
export async function fresh({ packages, estate }: Surroundings, root?: RootOptions) {
  const machine = await Machine.boot(packages.folder, root);
  onTestFinished(() => machine[Symbol.asyncDispose]());
  return { machine, tenant: await estate.found(`org${count++}`) };
}

/** The same, installed and bound by one line, and a person at work who has the device. */
export async function installed(surroundings: Surroundings, root?: RootOptions) {
  const { machine, tenant } = await fresh(surroundings, root);
  machine.does(dpkg(NOW_VERSION), deploymentOn(machine, { ...surroundings, tenant }));
  return { machine, tenant, ...(await atWork(surroundings.estate, tenant)) };
}

/** A person of the organisation at work until the test ends, and the one device that has enrolled. */
export async function atWork(estate: Estate, tenant: Tenant) {
  const desk = await Desk.open(estate, tenant);
  onTestFinished(() => desk[Symbol.asyncDispose]());
  return { desk, device: await desk.device() };
}

/** What `find` shows of ours on a machine from which all is gone; what the test itself laid down is not counted. */
export const TRACES = "find / -xdev -name '*keybound*' ! -path '/srv/*' ! -path '/root/*'";

/** Every file of the package on a machine, with its mode, owner and sum. */
export const FILES =
  "find /usr/libexec/keybound-agent /usr/bin/keybound-agent /usr/lib/systemd/system/keybound-agent.service " +
  "/usr/share/doc/keybound-agent -type f -printf '%p %m %u:%g ' -exec sh -c 'sha256sum < \"$1\"' sh {} \\; | sort";

/** Files of the package that are gone, that say something else, and that anybody may write. */
export const DAMAGE =
  "rm /usr/libexec/keybound-agent/bind-at-install /usr/lib/systemd/system/keybound-agent.service; " +
  "rm /usr/libexec/keybound-agent/node; echo 'throw 1' > /usr/libexec/keybound-agent/keybound-agent.cjs; " +
  "chmod 0777 /usr/bin/keybound-agent";

/** A version that an update would have brought, as far as the starter asks: it says its name. */
export function layUpdate(machine: Machine): void {
  const versions = "/usr/libexec/keybound-agent/versions";
  machine.write(`${versions}/0.2.0/node`, "#!/bin/sh\necho keybound-agent 0.2.0\n", 0o755);
  machine.write(`${versions}/0.2.0/keybound-agent.cjs`, "", 0o644);
  machine.write(`${versions}/current`, "0.2.0\n", 0o644);
}
