// A job comes in: stored for each of its targets, unread, and sent on to those who are there.
import { createHash } from "node:crypto";
import { concat } from "../protocol/bytes.ts";
import { readEnvelope, statementId } from "../protocol/envelope.ts";
import {
  MAX_BODY_BYTES,
  MAX_CLOCK_AHEAD_MS,
  MAX_ENVELOPE_BYTES,
  MAX_JOB_LIFETIME_MS,
  MAX_READERS,
  WRAP_BYTES,
} from "../protocol/limits.ts";
import { Refusal, refuse } from "../protocol/refusal.ts";
import { encodeStrict } from "../protocol/strict-json.ts";
import type { FromOperator } from "../protocol/wire.ts";
import { dispatch } from "./deliver.ts";
import { MAX_QUEUED } from "./limits.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { checkQuota } from "./results.ts";
import type { NewJob } from "./store-jobs.ts";
import type { Tenant } from "./tenant.ts";
import { Trouble } from "./trouble.ts";
import { addWatches } from "./watch.ts";

type Header = Extract<FromOperator, { type: "submit" }>;
type Submission = { readonly header: Header; readonly parts: readonly Uint8Array[] };

/** Stores the job, confirms it, then sends it to the targets that are connected. The same job again changes nothing. */
export function submit(relay: Relay, session: OperatorSession, submission: Submission): void {
  const { tenant, connection } = session;
  const job = jobOf(relay, tenant, submission);
  const isNew = checkNew(relay, job);
  if (isNew && tenant.state.closed) throw refuse("tenant-closed", "no device takes a job any more");
  if (isNew) checkTargets(relay, tenant, job);
  if (submission.header.watch) addWatches(session, { jobs: [job.job], quiet: submission.header.quiet });
  const wasProposed = isNew && relay.store.jobs.add(job);
  connection.send({ type: "ok", rid: submission.header.rid });
  if (wasProposed) tenant.hub.announceWaiting();
  if (!isNew) return;
  for (const { device } of job.targets) {
    const target = tenant.hub.devices.get(device);
    if (target !== undefined) dispatch(relay, target);
  }
}

/** What the header and parts are of one another; nothing in the parts is read. */
function jobOf(relay: Relay, tenant: Tenant, { header, parts }: Submission): NewJob {
  const [envelope, body, ...wraps] = parts;
  const targetWraps = wraps.slice(0, header.targets.length);
  const readerWraps = wraps.slice(header.targets.length);
  if (envelope === undefined || body === undefined || targetWraps.length !== header.targets.length) {
    throw refuse("frame-form", `${parts.length} parts for ${header.targets.length} targets`);
  }
  checkSizes({ envelope, body, wraps, readers: readerWraps.length });
  if (new Set(header.targets).size !== header.targets.length) throw refuse("frame-form", "a target stands twice");
  checkBlobs(header.blobs);
  const now = relay.now();
  return {
    n: tenant.n,
    job: header.job,
    statement: statementOf(envelope),
    batch: header.batch,
    digest: digestOf({ header, parts }),
    now,
    expiresAt: Math.min(header.expiresAt, now + MAX_JOB_LIFETIME_MS + MAX_CLOCK_AHEAD_MS),
    envelope,
    body,
    targets: header.targets.map((device, i) => ({ device, wrap: targetWraps[i] ?? new Uint8Array(0) })),
    readerWraps: concat(...readerWraps),
    blobs: header.blobs ?? [],
  };
}

export function checkBlobs(blobs: readonly string[] = []): void {
  if (new Set(blobs).size !== blobs.length) throw refuse("frame-form", "a file stands twice");
}

/** The id of whatever statement the envelope carries; `undefined` for bytes that are no envelope, which devices refuse. */
function statementOf(envelope: Uint8Array): string | undefined {
  try {
    return statementId(readEnvelope(envelope));
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Bytes of a sealed stream of 1 MiB: a tag for each of its 16 chunks. */
const MAX_SEALED_BODY_BYTES = MAX_BODY_BYTES + 16 * 16;

function checkSizes(sizes: { envelope: Uint8Array; body: Uint8Array; wraps: readonly Uint8Array[]; readers: number }) {
  const { envelope, body, wraps, readers } = sizes;
  if (envelope.length > MAX_ENVELOPE_BYTES) {
    throw refuse("envelope-size", `${envelope.length} bytes, at most ${MAX_ENVELOPE_BYTES}`);
  }
  if (body.length > MAX_SEALED_BODY_BYTES) {
    throw refuse("frame-form", `body of ${body.length} bytes, at most ${MAX_SEALED_BODY_BYTES}`);
  }
  if (wraps.some(({ length }) => length !== WRAP_BYTES))
    throw refuse("frame-form", `a wrap is not ${WRAP_BYTES} bytes`);
  if (readers > MAX_READERS) throw refuse("frame-form", `${readers} readers, at most ${MAX_READERS}`);
}

/** Whether the id is free. Throws `job-id-reused` where another job has it. */
function checkNew(relay: Relay, job: NewJob): boolean {
  const stored = relay.store.jobs.digest(job);
  if (stored === undefined) return true;
  if (Buffer.compare(stored, job.digest) !== 0) throw refuse("job-id-reused", `job ${job.job}`);
  return false;
}

function checkTargets(relay: Relay, tenant: Tenant, { targets, envelope, body }: NewJob): void {
  checkQuota(relay, tenant, envelope.length + body.length);
  const { devices, jobs } = relay.store;
  for (const { device } of targets) {
    const key = { n: tenant.n, device };
    const isKnown = tenant.roster.devices.has(device) || devices.standing(key).type === "enrolled";
    if (!isKnown) throw new Trouble("device-unknown", device);
    if (jobs.countQueued(key) >= MAX_QUEUED) throw new Trouble("quota", `${MAX_QUEUED} jobs wait for device ${device}`);
  }
}

/** Over the routing fields and each part with its length. */
function digestOf({ header, parts }: Submission): Uint8Array {
  const { job, batch, expiresAt, targets, blobs = [] } = header;
  const hash = createHash("sha256").update(
    encodeStrict({ job, batch, expiresAt, targets, blobs, sizes: parts.map(({ length }) => length) }),
  );
  for (const part of parts) hash.update(part);
  return hash.digest();
}
