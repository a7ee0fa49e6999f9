// Sealed files that jobs bring: in part by part from an operator's client, out part by part to the devices of the job. The relay
// checks no digest: a device does not take its word for one (SPEC 8.8).
import { BLOB_PART_BYTES, MAX_BLOB_BYTES } from "../protocol/limits.ts";
import { refuse } from "../protocol/refusal.ts";
import type { FromDevice, FromOperator } from "../protocol/wire.ts";
import type { DeviceSession } from "./device-session.ts";
import { MIN_RESULT_PART_BYTES } from "./limits.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { checkQuota } from "./results.ts";
import { Trouble } from "./trouble.ts";

type From<T extends FromOperator["type"]> = Extract<FromOperator, { type: T }>;
type Part = { readonly header: From<"put-blob">; readonly bytes: Uint8Array };

/** How much has come, so that a client goes on from there. */
export function statBlob(
  { store, now }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, blob }: From<"stat-blob">,
): void {
  const key = { n: tenant.n, blob };
  const stored = store.blobs.find(key);
  if (stored !== undefined) store.blobs.touch(key, now());
  const { received, size } = stored ?? { received: 0, size: -1 };
  connection.send({ type: "blob-stat", rid, received, complete: received === size });
}

/** Takes the part that follows what has come; one at 0 begins again what is not complete, and what is complete stays as it is. */
export function putBlob(relay: Relay, { connection, tenant }: OperatorSession, part: Part): void {
  const { rid, blob, offset, size } = part.header;
  checkPart(part);
  const key = { n: tenant.n, blob };
  const stored = relay.store.blobs.find(key);
  const isComplete = stored !== undefined && stored.received === stored.size;
  if (!isComplete) {
    checkQuota(relay, tenant, part.bytes.length);
    if (offset === 0) relay.store.blobs.begin(key, { size, bytes: part.bytes, now: relay.now() });
    else if (stored?.received === offset && stored.size === size)
      relay.store.blobs.extend(tenant.n, stored, part.bytes);
    else throw refuse("frame-form", `file at ${offset} of ${size}, expected ${stored?.received ?? 0}`);
  }
  connection.send({ type: "ok", rid });
}

/** To a device that a job was sent to which names the file, and to no other. */
export function answerBlob(
  { store }: Relay,
  { connection, tenant, device }: DeviceSession,
  { rid, job, blob, offset }: Extract<FromDevice, { type: "read-blob" }>,
): void {
  const slice = store.blobs.readFor({ n: tenant.n, blob }, { job, device, offset });
  if (slice === undefined) throw new Trouble("blob-unknown", blob);
  connection.send({ type: "blob", rid, size: slice.size }, [slice.bytes]);
}

function checkPart({ header: { offset, size }, bytes }: Part): void {
  if (size === 0 || size > MAX_BLOB_BYTES) throw refuse("frame-form", `file of ${size} bytes, 1 to ${MAX_BLOB_BYTES}`);
  if (bytes.length > BLOB_PART_BYTES) throw refuse("frame-form", `part of ${bytes.length} bytes`);
  const end = offset + bytes.length;
  if (end > size) throw refuse("frame-form", `part to ${end} of a file of ${size} bytes`);
  if (end < size && bytes.length < MIN_RESULT_PART_BYTES) {
    throw refuse("frame-form", `part of ${bytes.length} bytes, at least ${MIN_RESULT_PART_BYTES}`);
  }
}
