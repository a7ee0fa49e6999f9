// One job as the relay keeps it, read back: who signed what for whom, its body where it opens for us, and each device's receipt as it came.
import { readEnvelopeOf } from "../../protocol/envelope.ts";
import type { JobWork } from "../../protocol/job-work.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import { partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import { readSignedJob, type SignedJob } from "../jobs/signed-job.ts";
import type { Followed } from "./follow-job.ts";
import { openBody, type SealedJob } from "./open-body.ts";
import type { Reader } from "./reader.ts";

export type Delivery = {
  readonly device: string;
  readonly state: Followed["delivery"];
  readonly note?: string | undefined;
};

/** What the relay keeps of a job, with the manifest verified. */
export type JobRecord = SignedJob & {
  readonly submittedAt: number;
  readonly envelope: Uint8Array;
  readonly work: JobWork | Refusal;
  readonly deliveries: readonly Delivery[];
  /** Receipts by device, as they came. */
  readonly receipts: ReadonlyMap<string, Uint8Array>;
};

/** Throws `job-unknown`, a refusal of the job's envelope, or `job-id-reused` where the relay shows another job. */
export async function readRecord(session: Session, job: string, own: readonly Reader[]): Promise<JobRecord> {
  const { header, parts } = await session.client.ask("job-record", { type: "read-job", job });
  const [envelope, sealed] = [partAt(parts, 0), partAt(parts, 1)];
  const signed = readSignedJob(readEnvelopeOf("job", envelope), session.state);
  if (signed.manifest.job !== job) throw refuse("job-id-reused", `the relay showed job ${signed.manifest.job}`);
  const { readers } = signed.manifest;
  const work = await workOrRefusal(signed, { sealed, wraps: parts.slice(2, 2 + readers.length), own });
  const receipts = receiptsByDevice(header.deliveries, parts.slice(2 + readers.length));
  return { ...signed, submittedAt: header.submittedAt, envelope, work, deliveries: header.deliveries, receipts };
}

function receiptsByDevice(
  deliveries: readonly Delivery[],
  receipts: readonly Uint8Array[],
): ReadonlyMap<string, Uint8Array> {
  const answered = deliveries.filter(({ state }) => state === "answered");
  return new Map(answered.map(({ device }, index) => [device, partAt(receipts, index)]));
}

async function workOrRefusal(signed: SignedJob, parts: SealedJob): Promise<JobWork | Refusal> {
  try {
    return await openBody(signed, parts);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
