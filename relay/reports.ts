// Devices' binding reports on their way in: the newest of each is kept, and operators hear of what is new in it.
import { type BindingReport, readBindingReport } from "../protocol/binding-report.ts";
import { equal } from "../protocol/bytes.ts";
import { refuse } from "../protocol/refusal.ts";
import type { DeviceSession } from "./device-session.ts";
import { MAX_REPORT_ENVELOPE_BYTES } from "./limits.ts";
import type { Relay } from "./relay.ts";

/**
 * Stores a report as the device's key signed it. One that says nothing new is kept without a sync, and told to nobody; nor is
 * that of a device that is not admitted, which anybody can be.
 */
export function storeReport(
  { store }: Relay,
  session: DeviceSession,
  { rid, bytes }: { readonly rid: number; readonly bytes: Uint8Array },
): void {
  const { connection, tenant, device } = session;
  if (bytes.length > MAX_REPORT_ENVELOPE_BYTES) {
    throw refuse("envelope-size", `${bytes.length} bytes, at most ${MAX_REPORT_ENVELOPE_BYTES}`);
  }
  const stored = store.devices.report(session.key);
  if (stored === undefined || !equal(stored, bytes)) {
    const isNews = tellsNews(session, { stored, bytes });
    store.devices.saveReport(session.key, { bytes, isNews });
    if (isNews && tenant.roster.devices.has(device)) tenant.hub.announceReport(device, bytes);
  }
  connection.send({ type: "ok", rid });
}

/** Throws unless the device signed the report. */
function tellsNews(
  { sig, tenant }: DeviceSession,
  { stored, bytes }: { readonly stored: Uint8Array | undefined; readonly bytes: Uint8Array },
): boolean {
  const report = readBindingReport(bytes, { sig, tenant: tenant.id });
  return stored === undefined || newsOf(report) !== newsOf(readBindingReport(stored, { sig, tenant: tenant.id }));
}

/** What operators ask of a report, to be compared; fields stand in the order of the schema. */
function newsOf({ keyHead, refused, moved, left }: BindingReport): string {
  return JSON.stringify([keyHead, refused, moved, left]);
}
