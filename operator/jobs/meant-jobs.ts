// Which jobs a person means by an id, or the beginning of one: a job, or all jobs of a batch; sent, or waiting for a signature.
import { readEnvelopeOf } from "../../protocol/envelope.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { Fault } from "../fault.ts";
import { MAX_SEARCHED_JOBS } from "../limits.ts";
import { listJobs } from "../results/listed-jobs.ts";
import { type ProposedManifest, readProposedManifest } from "../cosign/proposed-job.ts";
import { listProposals } from "../cosign/proposals.ts";
import { partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import { readSignedJob, type SignedJob } from "./signed-job.ts";

export type MeantJobs = {
  readonly sent: readonly SignedJob[];
  readonly proposed: readonly ProposedManifest[];
  /** How many jobs of the same batch were not meant. */
  readonly besides: number;
};

/** By what was signed, not by what the relay says of it. Throws `job-unknown` or `job-ambiguous`. */
export async function findMeantJobs(session: Session, typed: string): Promise<MeantJobs> {
  const sent = await signedJobs(session, typed);
  const proposed = await proposedJobs(session);
  const known = [...sent, ...proposed].map(({ manifest }) => manifest);
  const id = idOf(known, typed);
  const isMeant = ({ manifest }: SignedJob | ProposedManifest) => manifest.job === id || manifest.batch === id;
  const meant = { sent: sent.filter(isMeant), proposed: proposed.filter(isMeant) };
  const batches = new Set([...meant.sent, ...meant.proposed].map(({ manifest }) => manifest.batch));
  const ofBatches = known.filter(({ batch }) => batches.has(batch)).length;
  return { ...meant, besides: ofBatches - meant.sent.length - meant.proposed.length };
}

function idOf(known: readonly SignedJob["manifest"][], typed: string): string {
  const ids = new Set(known.flatMap(({ job, batch }) => [job, batch]).filter((id) => id.startsWith(typed)));
  const [only, another] = ids.has(typed) ? [typed] : ids;
  if (only === undefined) throw new Fault("job-unknown", typed);
  if (another !== undefined) throw new Fault("job-ambiguous", `${typed} begins ${ids.size} ids`);
  return only;
}

/** Jobs of the relay's list whose signature is by somebody of the log; one that is older than the list, by its whole id. */
async function signedJobs(session: Session, typed: string): Promise<readonly SignedJob[]> {
  const listed = await listJobs(session, { max: MAX_SEARCHED_JOBS });
  const found = listed.flatMap(({ envelope }) => signedJob(session, envelope));
  const isListed = found.some(({ manifest }) => manifest.job.startsWith(typed) || manifest.batch.startsWith(typed));
  return isListed || !/^[\w-]{22}$/.test(typed) ? found : await oldJob(session, typed);
}

async function oldJob(session: Session, job: string): Promise<readonly SignedJob[]> {
  try {
    const { parts } = await session.client.ask("job-record", { type: "read-job", job });
    return signedJob(session, partAt(parts, 0));
  } catch (error) {
    if (error instanceof Fault && error.code === "job-unknown") return [];
    throw error;
  }
}

/** None where it is not verified: such a job is no device's either. */
function signedJob({ state }: Session, envelope: Uint8Array): readonly SignedJob[] {
  try {
    return [readSignedJob(readEnvelopeOf("job", envelope), state)];
  } catch (error) {
    if (error instanceof Refusal) return [];
    throw error;
  }
}

async function proposedJobs(session: Session): Promise<readonly ProposedManifest[]> {
  const listed = await listProposals(session);
  return listed
    .filter(({ kind }) => kind === "job")
    .flatMap((proposal) => {
      try {
        return [readProposedManifest(session, proposal)];
      } catch (error) {
        // One that nobody can sign never becomes a job.
        if (error instanceof Refusal || error instanceof Fault) return [];
        throw error;
      }
    });
}
