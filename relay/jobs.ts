// What operators ask about jobs, receipts and results.
import { MAX_FRAME_BYTES, MAX_HEADER_BYTES, MAX_PAGE, RESULT_PART_BYTES, WRAP_BYTES } from "../protocol/limits.ts";
import type { FromOperator } from "../protocol/wire.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import type { Delivery, StoredJob } from "./store-jobs.ts";
import { pageOf } from "./store-logs.ts";
import type { Tenant } from "./tenant.ts";
import { Trouble } from "./trouble.ts";

type From<T extends FromOperator["type"]> = Extract<FromOperator, { type: T }>;

export function answerJobs(
  { store }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, before = Number.MAX_SAFE_INTEGER }: From<"list-jobs">,
): void {
  const listed = store.jobs.list({ n: tenant.n, before, limit: MAX_PAGE + 1 });
  const { entries, more } = pageOf(listed.map(({ envelope }) => envelope));
  const jobs = listed.slice(0, entries.length).map(({ envelope: _part, ...job }) => job);
  connection.send({ type: "jobs", rid, more, jobs }, entries);
}

/** The job with each device's state, and the receipts of those that answered; receipts that do not fit are left to `list-receipts`. */
export function answerJob(
  { store }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, job }: From<"read-job">,
): void {
  const stored = store.jobs.read({ n: tenant.n, job });
  if (stored === undefined) throw new Trouble("job-unknown", job);
  const deliveries = stored.deliveries.map((delivery) => describe(tenant, job, delivery));
  const parts = [stored.envelope, stored.body, ...wrapsOf(stored)];
  const receipts = store.receipts.ofJob({ n: tenant.n, job });
  const answered = stored.deliveries.flatMap(({ device, state }) => {
    const receipt = state === "answered" ? receipts.get(device) : undefined;
    return receipt === undefined ? [] : [receipt];
  });
  connection.send({ type: "job-record", rid, submittedAt: stored.submittedAt, deliveries }, [
    ...parts,
    ...fitting(answered, parts),
  ]);
}

function describe({ hub }: Tenant, job: string, { device, state, note }: Delivery) {
  const isSent = state === "queued" && hub.devices.get(device)?.isInFlight(job) === true;
  return { device, state: isSent ? ("sent" as const) : state, ...(note === undefined ? {} : { note }) };
}

function wrapsOf({ readerWraps }: StoredJob): readonly Uint8Array[] {
  return Array.from({ length: readerWraps.length / WRAP_BYTES }, (_, i) =>
    readerWraps.subarray(i * WRAP_BYTES, (i + 1) * WRAP_BYTES),
  );
}

/** As many of the receipts, from the first on, as the frame has room for beside the other parts. */
function fitting(receipts: readonly Uint8Array[], parts: readonly Uint8Array[]): readonly Uint8Array[] {
  let room = MAX_FRAME_BYTES - MAX_HEADER_BYTES - 4 - parts.reduce((sum, { length }) => sum + 4 + length, 0);
  const tooMany = receipts.findIndex(({ length }) => (room -= 4 + length) < 0);
  return tooMany < 0 ? receipts : receipts.slice(0, tooMany);
}

export function answerReceipts(
  { store }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, device, from }: From<"list-receipts">,
): void {
  const receipts = store.receipts.list({ n: tenant.n, device }, { from, limit: MAX_PAGE + 1 });
  const { entries, more } = pageOf(receipts);
  connection.send({ type: "receipts", rid, more }, entries);
}

/** What a device has answered to one job, newest first: a job that runs several times has several answers. */
export function answerAnswers(
  { store }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, job, device, before = Number.MAX_SAFE_INTEGER }: From<"list-answers">,
): void {
  const receipts = store.receipts.answers({ n: tenant.n, job, device }, { before, limit: MAX_PAGE + 1 });
  const { entries, more } = pageOf(receipts);
  connection.send({ type: "receipts", rid, more }, entries);
}

/** Bytes of a result from an offset on, as many as one part has. */
export function answerResult(
  { store }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, job, device, offset, seq }: From<"read-result">,
): void {
  const slice = store.receipts.readResult({ n: tenant.n, job, device }, { offset, seq });
  if (slice === undefined) throw new Trouble("job-unknown", `no result of device ${device} for job ${job}`);
  connection.send({ type: "result", rid, size: slice.size }, [slice.bytes.subarray(0, RESULT_PART_BYTES)]);
}
