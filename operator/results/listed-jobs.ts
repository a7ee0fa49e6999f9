// Jobs as the relay lists them, page after page; nothing of it is believed but what was signed.
import { partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import { Fault } from "../fault.ts";
import { MAX_SEARCHED_JOBS } from "../limits.ts";

export type ListedJob = {
  readonly job: string;
  readonly batch: string;
  readonly submittedAt: number;
  readonly targets: number;
  readonly answered: number;
  readonly envelope: Uint8Array;
};

/** Up to `max` jobs, newest first. */
export async function listJobs({ client }: Session, { max }: { readonly max: number }): Promise<readonly ListedJob[]> {
  const found = new Map<string, ListedJob>();
  for (let before: number | undefined; ; ) {
    const ask = { type: "list-jobs", ...(before === undefined ? {} : { before }) };
    const { header, parts } = await client.ask("jobs", ask);
    for (const [index, job] of header.jobs.entries()) found.set(job.job, { ...job, envelope: partAt(parts, index) });
    const last = header.jobs.at(-1)?.submittedAt;
    const goesOn = header.more && last !== undefined && last !== before && found.size < max;
    if (!goesOn) return [...found.values()].slice(0, max);
    before = last;
  }
}

/** The id that was typed, whole or its beginning. Throws `job-unknown` or `job-ambiguous`. */
export async function findJob(session: Session, typed: string): Promise<string> {
  if (/^[\w-]{22}$/.test(typed)) return typed;
  const sent = session.desk.cache.sentJobs().map(({ job }) => job);
  const listed = (await listJobs(session, { max: MAX_SEARCHED_JOBS })).map(({ job }) => job);
  const begun = [...new Set([...sent, ...listed])].filter((job) => job.startsWith(typed));
  const [only, another] = begun;
  if (only === undefined) throw new Fault("job-unknown", typed);
  if (another !== undefined) throw new Fault("job-ambiguous", `${typed} begins ${begun.length} ids`);
  return only;
}
