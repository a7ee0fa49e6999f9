// Entries of the logs and checkpoints on their way out, a page at a time.
import type { LogName } from "../protocol/wire-fields.ts";
import type { Connection } from "./connection.ts";
import type { DeviceSession } from "./device-session.ts";
import type { Relay } from "./relay.ts";
import { pageOf } from "./store-logs.ts";
import type { Tenant } from "./tenant.ts";

type Reader = { readonly connection: Connection; readonly tenant: Tenant };

export function answerLog(
  { store }: Relay,
  { connection, tenant }: Reader,
  { rid, log, from }: { readonly rid: number; readonly log: LogName; readonly from: number },
): void {
  const { entries, more } = store.logs.page({ n: tenant.n, log }, from);
  connection.send({ type: "log", rid, log, from, more }, entries);
}

/** Every entry of the roster about a device, in as many frames as it takes. */
export function sendAboutDevice({ store }: Relay, { connection, key }: DeviceSession): void {
  let rest = store.logs.aboutDevice(key.n, key.device);
  while (rest.length > 0) {
    const { entries } = pageOf(rest);
    connection.send({ type: "device-entries" }, entries);
    rest = rest.slice(entries.length);
  }
}

export function sendCheckpoints({ store }: Relay, connection: Connection, { n }: Tenant): void {
  for (const bytes of store.logs.checkpoints(n)) connection.send({ type: "checkpoint" }, [bytes]);
}
