// What a device says of its own hardware and system, signed by it, on connecting and daily (SPEC 9.5). Every list and text is bounded.
import * as v from "valibot";
import { readEnvelopeOf, signPayload } from "./envelope.ts";
import { Bytes, Digest, readFields, Time } from "./fields.ts";
import { keyBytes } from "./key-state.ts";
import { MAX_INVENTORY_BYTES, MAX_INVENTORY_ITEMS } from "./limits.ts";
import { refuse } from "./refusal.ts";
import type { Signer } from "./signature.ts";
import { checkSignedBy } from "./signed-by.ts";
import { encodeStrict } from "./strict-json.ts";

/** Longest text of an inventory field; the device cuts what is longer. */
export const MAX_INVENTORY_TEXT = 128;
const Text = v.pipe(v.string(), v.maxLength(MAX_INVENTORY_TEXT));
const listOf = <const S extends v.GenericSchema>(item: S) => v.pipe(v.array(item), v.maxLength(MAX_INVENTORY_ITEMS));

export const Inventory = v.strictObject({
  tenant: Digest,
  device: Digest,
  time: Time,
  host: Text,
  os: v.strictObject({ platform: Text, name: Text, version: Text, kernel: Text, arch: Text }),
  machine: v.strictObject({ manufacturer: Text, model: Text, serial: Text, virtual: v.boolean() }),
  cpu: v.strictObject({ name: Text, cores: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) }),
  memoryBytes: Bytes,
  disks: listOf(v.strictObject({ name: Text, mount: Text, type: Text, size: Bytes, used: Bytes })),
  network: listOf(v.strictObject({ name: Text, ip4: Text, ip6: Text, mac: Text })),
  agent: Text,
});
export type Inventory = Readonly<v.InferOutput<typeof Inventory>>;

export function signInventory(inventory: Inventory, signer: Signer): Uint8Array {
  return signPayload("inventory", encodeStrict(inventory), [signer]);
}

/** An inventory signed by the device whose raw key is `sig`. */
export function readInventory(bytes: Uint8Array, { sig, tenant }: { sig: string; tenant: string }): Inventory {
  const envelope = readEnvelopeOf("inventory", bytes);
  const device = checkSignedBy(envelope, keyBytes(sig));
  const inventory = readFields(Inventory, envelope.payload, MAX_INVENTORY_BYTES);
  if (inventory.tenant !== tenant) throw refuse("tenant-other", `tenant ${inventory.tenant}`);
  if (inventory.device !== device) throw refuse("device-other", `device ${inventory.device}`);
  return inventory;
}
