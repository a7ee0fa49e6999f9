// Jobs out to devices, and the news of it to those who watch.
import type { DeliveryState } from "../protocol/wire-fields.ts";
import type { DeviceSession } from "./device-session.ts";
import { EXPIRY_BATCH } from "./limits.ts";
import type { Relay } from "./relay.ts";
import type { Tenant } from "./tenant.ts";

export type Progress = {
  readonly job: string;
  readonly device: string;
  readonly state: DeliveryState;
  readonly note: string | undefined;
};

/** Sends a device what waits for it, as far as there is room. */
export function dispatch(relay: Relay, session: DeviceSession): void {
  for (const job of session.fill(relay.now())) {
    tellProgress(session.tenant, { job, device: session.device, state: "sent", note: undefined });
  }
}

export function tellProgress({ hub }: Tenant, { job, device, state, note }: Progress): void {
  for (const { connection } of hub.watchersOf(job)) {
    connection.send({ type: "progress", job, device, state, ...(note === undefined ? {} : { note }) });
  }
}

/** Ends deliveries whose time has passed; the room that they took is free again. */
export function sweepExpired(relay: Relay): void {
  const expired = relay.store.jobs.expire(relay.now(), EXPIRY_BATCH);
  const tenants = new Map([...relay.tenants.loaded()].map((tenant) => [tenant.n, tenant]));
  for (const { n, job, device } of expired) {
    const tenant = tenants.get(n);
    if (tenant === undefined) continue;
    tellProgress(tenant, { job, device, state: "expired", note: undefined });
    const session = tenant.hub.devices.get(device);
    session?.settle(job);
    if (session !== undefined) dispatch(relay, session);
  }
}
