// Sealed results on their way in, part by part. Parts are written without a sync; the receipt's commit syncs them with it.
import { refuse } from "../protocol/refusal.ts";
import type { FromDevice } from "../protocol/wire.ts";
import type { DeviceSession } from "./device-session.ts";
import { MAX_FETCHED_BYTES } from "../protocol/limits.ts";
import { MIN_RESULT_PART_BYTES } from "./limits.ts";
import type { Relay } from "./relay.ts";
import type { Upload } from "./store-receipts.ts";
import type { Tenant } from "./tenant.ts";
import { Trouble } from "./trouble.ts";

type Part = { readonly header: Extract<FromDevice, { type: "result-part" }>; readonly bytes: Uint8Array };

/** Takes the part that follows what has come; one at 0 begins again, and drops the oldest upload where there are many. */
export function storePart(relay: Relay, session: DeviceSession, { header, bytes }: Part): void {
  const { job, offset, size } = header;
  checkPart({ header, bytes });
  checkQuota(relay, session.tenant, bytes.length);
  const { receipts } = relay.store;
  const upload = receipts.upload({ ...session.key, job });
  if (offset === 0) return receipts.begin({ ...session.key, job }, { size, bytes, now: relay.now() });
  if (upload?.received !== offset || upload.size !== size) {
    throw refuse(
      "frame-form",
      `result at ${offset} of ${size}, expected ${upload?.received ?? 0} of ${upload?.size ?? 0}`,
    );
  }
  receipts.extend(session.tenant.n, upload, bytes);
}

/** From where a result of this size goes on. */
export function statResult(
  relay: Relay,
  session: DeviceSession,
  { rid, job, size }: Extract<FromDevice, { type: "stat-result" }>,
): void {
  const upload = relay.store.receipts.upload({ ...session.key, job });
  session.connection.send({ type: "result-stat", rid, received: upload?.size === size ? upload.received : 0 });
}

/** The finished upload that a receipt for this job brings with it, if there is one. Throws for an unfinished one. */
export function uploadFor(relay: Relay, session: DeviceSession, job: string): Upload | undefined {
  const upload = relay.store.receipts.upload({ ...session.key, job });
  if (upload === undefined || upload.received === upload.size) return upload;
  throw refuse("frame-form", `result of ${upload.received} bytes, announced ${upload.size}`);
}

/** Throws `quota` where the tenant keeps as much as it may. */
export function checkQuota({ store, quotaBytes }: Relay, tenant: Tenant, bytes: number): void {
  if (store.logs.storedBytes(tenant.n) + bytes > quotaBytes) throw new Trouble("quota", `${quotaBytes} bytes`);
}

function checkPart({ header: { offset, size }, bytes }: Part): void {
  if (size > MAX_FETCHED_BYTES) throw refuse("frame-form", `result of ${size} bytes, at most ${MAX_FETCHED_BYTES}`);
  const end = offset + bytes.length;
  if (end > size) throw refuse("frame-form", `part to ${end} of a result of ${size} bytes`);
  if (end < size && bytes.length < MIN_RESULT_PART_BYTES) {
    throw refuse("frame-form", `part of ${bytes.length} bytes, at least ${MIN_RESULT_PART_BYTES}`);
  }
}
