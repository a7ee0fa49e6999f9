// What this device is made of, asked of the system in a process of its own: the asking needs memory that the daemon shall not keep.
import { execFile } from "node:child_process";
import { isIPv4, isIPv6 } from "node:net";
import * as v from "valibot";
import { type Inventory, MAX_INVENTORY_TEXT, signInventory } from "../protocol/inventory.ts";
import { MAX_INVENTORY_BYTES, MAX_INVENTORY_ITEMS } from "../protocol/limits.ts";
import { INVENTORY_TIMEOUT_MS } from "./limits.ts";
import type { Owner } from "./owner.ts";

/** What the asking process prints. */
export type Facts = Omit<Inventory, "tenant" | "device" | "time" | "agent">;

const Text = v.pipe(v.string(), v.maxLength(MAX_INVENTORY_TEXT));
const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Facts = v.strictObject({
  host: Text,
  os: v.strictObject({ platform: Text, name: Text, version: Text, kernel: Text, arch: Text }),
  machine: v.strictObject({ manufacturer: Text, model: Text, serial: Text, virtual: v.boolean() }),
  cpu: v.strictObject({ name: Text, cores: Whole }),
  memoryBytes: Whole,
  disks: v.array(v.strictObject({ name: Text, mount: Text, type: Text, size: Whole, used: Whole })),
  network: v.array(v.strictObject({ name: Text, ip4: Text, ip6: Text, mac: Text })),
});

/** Asks the system. Loads systeminformation, so it runs in the asking process only. */
export async function collectFacts(): Promise<Facts> {
  const { default: si } = await import("systeminformation");
  const [os, system, cpu, memory, disks, network] = await Promise.all([
    si.osInfo(),
    si.system(),
    si.cpu(),
    si.mem(),
    si.fsSize(),
    si.networkInterfaces(),
  ]);
  const interfaces = Array.isArray(network) ? network : [network];
  return {
    host: cut(os.hostname),
    os: {
      platform: cut(os.platform),
      name: cut(os.distro),
      version: cut(os.release),
      kernel: cut(os.kernel),
      arch: cut(os.arch),
    },
    machine: {
      manufacturer: cut(system.manufacturer),
      model: cut(system.model),
      serial: cut(system.serial),
      virtual: system.virtual ?? false,
    },
    cpu: { name: cut(`${cpu.manufacturer} ${cpu.brand}`), cores: whole(cpu.cores) },
    memoryBytes: whole(memory.total),
    disks: disks.slice(0, MAX_INVENTORY_ITEMS).map(({ fs, mount, type, size, used }) => ({
      name: cut(fs),
      mount: cut(mount),
      type: cut(type),
      size: whole(size),
      used: whole(used),
    })),
    network: interfaces.slice(0, MAX_INVENTORY_ITEMS).map(({ iface, ip4, ip6, mac }) => ({
      name: cut(iface),
      ip4: isIPv4(ip4) ? ip4 : "",
      ip6: isIPv6(ip6) ? ip6 : "",
      mac: cut(mac),
    })),
  };
}

/** Runs the asking process (`command` and its arguments) and signs what it printed. Rejects where it fails or prints something else. */
export async function takeInventory(
  [command, ...args]: readonly [string, ...string[]],
  { owner, agent, now }: { owner: Owner; agent: string; now: () => number },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const printed = await output(command, args, signal);
  const facts = v.parse(Facts, JSON.parse(printed));
  return signInventory({ ...facts, tenant: owner.tenant, device: owner.device, time: now(), agent }, owner.signer);
}

function output(command: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(
    command,
    [...args],
    { timeout: INVENTORY_TIMEOUT_MS, maxBuffer: MAX_INVENTORY_BYTES, signal, windowsHide: true },
    (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
  );
  return promise;
}

function cut(text: unknown): string {
  return typeof text === "string" ? text.toWellFormed().slice(0, MAX_INVENTORY_TEXT).toWellFormed() : "";
}

function whole(number: unknown): number {
  return typeof number === "number" && Number.isFinite(number) && number > 0
    ? Math.min(Math.floor(number), Number.MAX_SAFE_INTEGER)
    : 0;
}
