// A job is taken back: what of it has not gone out to a device does not go out any more.
import type { FromOperator } from "../protocol/wire.ts";
import { tellProgress } from "./deliver.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { Trouble } from "./trouble.ts";

/** What a withdrawn delivery's note says. */
const NOTE = "withdrawn";

/** Ends the job's queued deliveries, or those of them to `devices`; one that is on its way to a connected device goes on. Throws `job-unknown`. */
export function withdrawJob(
  { store, log }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, job, devices: asked }: Extract<FromOperator, { type: "withdraw-job" }>,
): void {
  const key = { n: tenant.n, job };
  if (!store.jobs.has(key)) throw new Trouble("job-unknown", job);
  const waiting = store.jobs.deliveries(key).filter(({ state }) => state === "queued");
  const isMeant = (device: string) => asked?.includes(device) !== false && !tenant.hub.isInFlight(device, job);
  const devices = waiting.map(({ device }) => device).filter(isMeant);
  if (devices.length > 0) store.jobs.withdraw({ ...key, devices, note: NOTE });
  log.info({ tenant: tenant.id, job, devices: devices.length }, "job withdrawn");
  connection.send({ type: "ok", rid });
  for (const device of devices) tellProgress(tenant, { job, device, state: "expired", note: NOTE });
}
