// What this device is made of, asked of the system in a process of its own: the asking needs memory that the daemon shall not keep.
import { execFile } from "node:child_process";
import * as v from "valibot";
import { type Inventory, MAX_INVENTORY_TEXT, signInventory } from "../../protocol/inventory.ts";
import { MAX_INVENTORY_BYTES } from "../../protocol/limits.ts";
import type { Owner } from "../binding/owner.ts";
import { INVENTORY_TIMEOUT_MS } from "../limits.ts";

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
