// An entry for a log comes in: judged on our head, stored, confirmed, and then told to whoever it concerns.
import { refuse } from "../protocol/refusal.ts";
import type { LogName } from "../protocol/wire-fields.ts";
import type { Connection } from "./connection.ts";
import type { Relay } from "./relay.ts";
import type { Tenant } from "./tenant.ts";

type Entry = { readonly rid: number; readonly log: LogName; readonly bytes: Uint8Array };

/** Compare-and-append. An entry is worth what its signers are, whoever brings it. Throws a refusal of the entry. */
export function append(
  relay: Relay,
  { connection, tenant }: { readonly connection: Connection; readonly tenant: Tenant },
  { rid, log, bytes }: Entry,
): void {
  const appended = tenant.append(log, bytes, relay.now());
  connection.send({ type: "ok", rid });
  if (appended.type === "known") return;
  relay.log.info({ tenant: tenant.id, log, seq: appended.seq }, "log grew");
  tenant.hub.announceEntry(log, { seq: appended.seq, bytes });
  if (appended.settled) tenant.hub.announceWaiting();
  if (log === "key") return tenant.hub.endRevoked(tenant.state);
  const device = appended.device === undefined ? undefined : tenant.hub.devices.get(appended.device);
  device?.connection.send({ type: "device-entries" }, [bytes]);
  if (appended.removed) device?.connection.end(refuse("login-unknown", "the device was removed"));
}
