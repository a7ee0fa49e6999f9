// Asking the system what this device is made of. Heavy to load, so only the asking process does.
import { isIPv4, isIPv6 } from "node:net";
import systeminformation from "systeminformation";
import { MAX_INVENTORY_TEXT } from "../../protocol/inventory.ts";
import { MAX_INVENTORY_ITEMS } from "../../protocol/limits.ts";
import type { Facts } from "./inventory.ts";

/** What the system says; lists and texts are cut to their bounds. */
export async function collectFacts(): Promise<Facts> {
  const [os, system, cpu, memory, disks, network] = await Promise.all([
    systeminformation.osInfo(),
    systeminformation.system(),
    systeminformation.cpu(),
    systeminformation.mem(),
    systeminformation.fsSize(),
    systeminformation.networkInterfaces(),
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

function cut(text: unknown): string {
  return typeof text === "string" ? text.toWellFormed().slice(0, MAX_INVENTORY_TEXT).toWellFormed() : "";
}

function whole(number: unknown): number {
  return typeof number === "number" && Number.isFinite(number) && number > 0
    ? Math.min(Math.floor(number), Number.MAX_SAFE_INTEGER)
    : 0;
}
