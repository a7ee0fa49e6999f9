// What operators ask about devices.
import { refuse } from "../protocol/refusal.ts";
import { PAGE_BYTES } from "../protocol/limits.ts";
import type { FromOperator } from "../protocol/wire.ts";
import { DEVICES_PAGE } from "./limits.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { pageOf } from "./store-logs.ts";
import type { ListedDevice } from "./store-devices.ts";
import type { Tenant } from "./tenant.ts";
import { Trouble } from "./trouble.ts";

type From<T extends FromOperator["type"]> = Extract<FromOperator, { type: T }>;

/** Devices that have enrolled here and were not removed, admitted or not, by id; this tenant's, or those of one before it; all, or those that were asked for. */
export function answerDevices(
  { store, tenants, now }: Relay,
  { connection, tenant: own }: OperatorSession,
  { rid, after = "", of, only }: From<"list-devices">,
): void {
  const tenant = of === undefined ? own : tenants.predecessor(of, own.id);
  const listed = store.devices.list({ n: tenant.n, after, limit: DEVICES_PAGE + 1, only });
  const { entries, more } = pageOf(
    listed.map(({ request }) => request),
    { maxCount: DEVICES_PAGE },
  );
  const page = listed.slice(0, entries.length);
  const devices = page.map((device) => describe(tenant, device, now()));
  const reports = page.flatMap(({ report }) => report ?? []);
  connection.send({ type: "devices", rid, more, devices }, [...entries, ...reports]);
}

function describe({ hub }: Tenant, { device, seenAt, proof, receipts, report }: ListedDevice, now: number) {
  const online = hub.devices.has(device);
  const reported = report !== undefined;
  const proved = proof === undefined ? {} : { proof };
  return { device, online, seenAt: online ? now : seenAt, receipts, reported, ...proved };
}

export function answerInventory(
  { store }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, device }: From<"read-inventory">,
): void {
  const inventory = store.devices.inventory({ n: tenant.n, device });
  if (inventory === "no-device") throw new Trouble("device-unknown", device);
  if (inventory !== undefined && inventory.length > PAGE_BYTES) throw new Error("internal error: a large inventory");
  connection.send({ type: "inventory", rid }, inventory === undefined ? [] : [inventory]);
}

/** Only for a device that the roster does not have, or has no more. Its session ends, and its key is not let in again. */
export function forgetDevice(
  relay: Relay,
  { connection, tenant }: OperatorSession,
  { rid, device }: From<"forget-device">,
): void {
  if (tenant.roster.devices.has(device)) throw refuse("roster-device-exists", `remove device ${device} first`);
  if (!relay.store.devices.forget({ n: tenant.n, device })) throw new Trouble("device-unknown", device);
  relay.log.info({ tenant: tenant.id, device }, "device forgotten");
  connection.send({ type: "ok", rid });
  tenant.hub.devices.get(device)?.connection.end(refuse("login-unknown", "the device was forgotten"));
}
