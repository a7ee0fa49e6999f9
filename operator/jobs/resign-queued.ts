// After a change of key: jobs that the old key signed and that no device has yet would be refused there. They are signed again, for
// those devices and until their old end, or taken back.
import { readEnvelopeOf } from "../../protocol/envelope.ts";
import type { JobWork } from "../../protocol/job-work.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { JobManifest } from "../../protocol/job.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { dueAt, newestDue } from "../../protocol/runs.ts";
import { composeJobs, type JobRequest } from "./compose-job.ts";
import { listJobs } from "../results/listed-jobs.ts";
import { MAX_SEARCHED_JOBS } from "../limits.ts";
import { openBody } from "../results/open-body.ts";
import { readerOf } from "../results/reader.ts";
import { partAt } from "../connection/relay-client.ts";
import { workTitle } from "./run-request.ts";
import { batchOf, proposeJobs, submitJobs } from "./send-jobs.ts";
import type { Session } from "../connection/session.ts";
import { readSignedJob, type SignedJob } from "./signed-job.ts";
import type { Unlocked } from "../unlock/unlock.ts";

/** A job of the old key with devices that have not got it. */
export type QueuedJob = SignedJob & { readonly work: JobWork; readonly left: readonly RosterDevice[] };

/** Jobs that this key alone signed, that this client can open, and that wait for a device of the roster. */
export async function queuedJobs(session: Session, oldKey: string): Promise<readonly QueuedJob[]> {
  const queued: QueuedJob[] = [];
  for (const { job, envelope, answered, targets } of await listJobs(session, { max: MAX_SEARCHED_JOBS })) {
    const signed = answered < targets ? ownJob(session, envelope, oldKey) : undefined;
    if (signed === undefined || signed.manifest.job !== job) continue;
    const left = await leftOf(session, signed);
    if (left !== undefined) queued.push(left);
  }
  return queued;
}

/** `undefined` for a job of somebody else, of several people, or whose time has passed. */
function ownJob({ state, now }: Session, bytes: Uint8Array, oldKey: string): SignedJob | undefined {
  try {
    const envelope = readEnvelopeOf("job", bytes);
    const [only, another] = envelope.signatures;
    if (only?.key !== oldKey || another !== undefined) return undefined;
    const signed = readSignedJob(envelope, state);
    return signed.manifest.expiresAt > now ? signed : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

async function leftOf(session: Session, signed: SignedJob): Promise<QueuedJob | undefined> {
  const { manifest } = signed;
  const { header, parts } = await session.client.ask("job-record", { type: "read-job", job: manifest.job });
  const waiting = new Set(header.deliveries.filter(({ state }) => state === "queued").map(({ device }) => device));
  const left = manifest.targets.flatMap((id) => (waiting.has(id) ? (session.roster.devices.get(id) ?? []) : []));
  if (left.length === 0) return undefined;
  const own = [readerOf(session.desk.home.access.sealing)];
  const wraps = parts.slice(2, 2 + manifest.readers.length);
  try {
    return { ...signed, left, work: await openBody(signed, { sealed: partAt(parts, 1), wraps, own }) };
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** Signs them again by the present key, and takes the old ones back. */
export async function signAgain(unlocked: Unlocked, jobs: readonly QueuedJob[]): Promise<void> {
  const { session, keys } = unlocked;
  const { client, desk, state } = session;
  for (const { work, left, manifest } of jobs) {
    const now = session.now;
    const composed = await composeJobs(
      { work, targets: left, expiresInMs: manifest.expiresAt - now, ...whatIsLeft(manifest, now) },
      {
        state,
        signer: keys,
        operator: desk.home.config.operator,
        access: desk.home.access.sealing.publicKey,
        now,
        random: desk.world.random,
      },
    );
    const { ready, proposed } = batchOf(session, composed);
    await submitJobs(unlocked, ready, { watch: false, title: workTitle(work) });
    await proposeJobs(unlocked, proposed, workTitle(work));
    await client.ask("ok", { type: "withdraw-job", job: manifest.job });
  }
}

/** Not before its time; of a job that comes round what is due from now on, and the last where that was due before. */
export function whatIsLeft({ notBefore, runs }: JobManifest, now: number): Pick<JobRequest, "notBefore" | "runs"> {
  if (runs === undefined) return { notBefore };
  const schedule = { notBefore, runs };
  const first = Math.min(runs.count, newestDue(schedule, now) + 1);
  const count = runs.count - first + 1;
  return { notBefore: dueAt(schedule, first), ...(count < 2 ? {} : { runs: { ...runs, count } }) };
}

/** Takes them back; what has reached its device stays there, and is refused. */
export async function withdraw({ client }: Session, jobs: readonly QueuedJob[]): Promise<void> {
  for (const { manifest } of jobs) await client.ask("ok", { type: "withdraw-job", job: manifest.job });
}
