// `keybound jobs`: what the relay keeps, with signers and targets as they were signed.
import { readEnvelopeOf } from "../../protocol/envelope.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { listJobs, type ListedJob } from "../results/listed-jobs.ts";
import { foldNames } from "../present/fold.ts";
import { plain } from "../present/escape.ts";
import { span } from "../present/span.ts";
import { table } from "../present/table.ts";
import { date } from "../present/time.ts";
import { openSession, type Session } from "../connection/session.ts";
import { readSignedJob, type SignedJob } from "../jobs/signed-job.ts";
import type { World } from "../world.ts";

export type JobsOptions = CommonOptions & { readonly limit?: number };

const DEFAULT_LIMIT = 20;

export async function jobs(world: World, options: JobsOptions): Promise<void> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const listed = await listJobs(session, { max: options.limit ?? DEFAULT_LIMIT });
  const titles = new Map(desk.cache.sentJobs().map(({ job, label }) => [job, label]));
  const rows = listed.map((job) => rowOf(session, job, titles.get(job.job)));
  if (options.json === true) return printJson(world, rows);
  if (rows.length === 0) return say(world, "no jobs yet: keybound run --on NAME -- COMMAND");
  const cells = rows.map((row) => [
    row.job,
    date(row.submittedAt),
    row.by,
    `${row.answered}/${row.targets}`,
    row.on,
    row.title,
  ]);
  print(world, await table(["JOB", "SENT", "BY", "ANSWERED", "ON", "WHAT"], cells));
}

function rowOf(
  session: Session,
  { job, batch, submittedAt, targets, answered, envelope }: ListedJob,
  title: string | undefined,
) {
  const signed = signedOrRefusal(session, envelope);
  const isJob = !(signed instanceof Refusal) && signed.manifest.job === job;
  const by = isJob ? signed.signers.join(", ") : `NOT VERIFIED${signed instanceof Refusal ? ` ${signed.code}` : ""}`;
  const on = isJob ? foldNames(namesOf(session, signed)) : "-";
  const runs = isJob ? signed.manifest.runs : undefined;
  const rounds = runs === undefined ? "" : ` (${runs.count} times, every ${span(runs.everyMs)})`;
  return { job, batch, submittedAt, by, targets, answered, on, title: plain(title ?? "-") + rounds };
}

function signedOrRefusal(session: Session, envelope: Uint8Array): SignedJob | Refusal {
  try {
    return readSignedJob(readEnvelopeOf("job", envelope), session.state);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

function namesOf({ roster }: Session, { manifest }: SignedJob): readonly string[] {
  return manifest.targets.map((device) => roster.devices.get(device)?.name ?? device.slice(0, 10));
}
