// `keybound job show --follow`: waits for what has not ended of a job that was sent before, with its output as it comes.
import { MAX_OUTPUT_BYTES } from "../../protocol/limits.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { type CommonOptions, openDesk, printJson, say } from "../desk.ts";
import { joinJob } from "../results/join-job.ts";
import { findJob } from "../results/listed-jobs.ts";
import { resultJson } from "../present/result-json.ts";
import { hasSucceeded } from "../present/result-words.ts";
import { viewFor } from "../present/view-for.ts";
import { readerOf } from "../results/reader.ts";
import { openSession } from "../connection/session.ts";
import { patienceOf } from "../wait-for.ts";
import { JobWatch } from "../results/watch-jobs.ts";
import type { World } from "../world.ts";
import { readRecord } from "../results/job-record.ts";
import { deviceOf } from "./job-show.ts";

/** Answers the exit code: 0 where every device succeeded, else 1. */
export async function followJob(world: World, typed: string, options: CommonOptions): Promise<number> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const record = await readRecord(session, await findJob(session, typed), [readerOf(desk.home.access.sealing)]);
  const { manifest, statement, work } = record;
  const targets = record.deliveries.map(({ device }) => deviceOf(session, device));
  const view = await viewFor(
    world,
    options,
    targets.map((device) => ({ job: manifest.job, device })),
  );
  const isRun = !(work instanceof Refusal) && work.kind === "run";
  const outputBytes = isRun ? work.body.limits.outputBytes : MAX_OUTPUT_BYTES;
  const watch = new JobWatch(session, [{ manifest, statement, targets, outputBytes }], view);
  using patience = patienceOf(world, undefined);
  try {
    await joinJob(session, watch, manifest.job);
    await watch.settled(patience.signal);
  } finally {
    view.finish(watch.results);
  }
  const { results } = watch;
  if (options.json === true) printJson(world, { jobs: [manifest.job], devices: results.map(resultJson) });
  const left = results.filter(({ result }) => result === undefined).length;
  if (left > 0) say(world, `${left} of ${results.length} not answered yet`);
  return results.every(({ result }) => hasSucceeded(result)) ? 0 : 1;
}
