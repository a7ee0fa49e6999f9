// Sending a batch of jobs and waiting for what its devices prove, or not waiting; and what is said and answered at the end.
import { AwaitCosign } from "../cosign/await-cosign.ts";
import { type CommonOptions, type Desk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { resultJson } from "../present/result-json.ts";
import { hasSucceeded } from "../present/result-words.ts";
import type { Ended, RunView } from "../present/run-view.ts";
import { viewFor } from "../present/view-for.ts";
import { exitCodeOf } from "../results/passed-exit-code.ts";
import { JobWatch, type Target } from "../results/watch-jobs.ts";
import type { Unlocked } from "../unlock/unlock.ts";
import { patienceOf, UNREAD } from "../wait-for.ts";
import type { World } from "../world.ts";
import type { ComposedJob } from "./compose-job.ts";
import { type Batch, missingWords, proposeJobs, submitJobs } from "./send-jobs.ts";

export type WaitOptions = CommonOptions & {
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly waitTimeout?: number;
  /** Answers the one device's own exit code. */
  readonly exitCode?: boolean;
};

export type Sending = {
  readonly title: string;
  /** The body's output limit. */
  readonly outputBytes: number;
  readonly options: WaitOptions;
  /** What `--json` says besides. */
  readonly json?: object | undefined;
  /** Lines about when it runs, for who does not wait. */
  readonly schedule?: readonly string[] | undefined;
  /** What is seen while it goes on; as of a run unless said. */
  readonly viewOf?: (world: World, options: WaitOptions, targets: readonly Target[]) => RunView | Promise<RunView>;
};

/** Answers the exit code: 0 where every device succeeded (or the jobs were sent, with `detach`), else 1. */
export async function sendJobs(unlocked: Unlocked, batch: Batch, sending: Sending): Promise<number> {
  const { title, options } = sending;
  await proposeJobs(unlocked, batch.proposed, title);
  if (options.detach !== true) return await sendAndWait(unlocked, batch, sending);
  if (batch.ready.length > 0) await submitJobs(unlocked, batch.ready, { watch: false, title });
  return sayDetached(unlocked.session.desk, batch, sending);
}

function sayDetached({ world, options }: Desk, { ready, proposed }: Batch, { json, schedule = [] }: Sending): number {
  const ids = ready.map(({ manifest }) => manifest.job);
  const names = [...ready, ...proposed].flatMap(({ targets }) => targets.map(({ name }) => name));
  if (options.json === true) {
    printJson(world, { jobs: ids, ...json, targets: names, ...proposalsJson(proposed) });
    return 0;
  }
  for (const { manifest } of [...ready, ...proposed]) print(world, manifest.job);
  for (const line of schedule) say(world, line);
  const sent = ready.reduce((sum, { targets }) => sum + targets.length, 0);
  if (sent > 0) say(world, `sent to ${sent} ${plural(sent)}; see keybound job show ${ids[0]}`);
  return 0;
}

function proposalsJson(proposed: readonly ComposedJob[]): { proposals?: readonly object[] } {
  if (proposed.length === 0) return {};
  const rows = proposed.map(({ statement, manifest, needed, targets }) => {
    return { proposal: statement, job: manifest.job, needed, targets: targets.map(({ name }) => name) };
  });
  return { proposals: rows };
}

async function sendAndWait(unlocked: Unlocked, batch: Batch, sending: Sending): Promise<number> {
  const { session } = unlocked;
  const { results, cosigning } = await sendAndWatch(unlocked, batch, sending);
  for (const job of cosigning.waiting) say(session.desk.world, missingWords(session, job));
  const code = conclude(session.desk, results, { batch, cosigning, json: sending.json });
  return sending.options.exitCode === true ? exitCodeOf(results[0]?.result) : code;
}

export type Watched = { readonly results: readonly Ended[]; readonly cosigning: AwaitCosign };

/** Submits what is ready and waits for all of it, until patience ends; proposals were left with the relay before. */
export async function sendAndWatch(
  unlocked: Unlocked,
  batch: Batch,
  { title, outputBytes, options, viewOf = viewFor }: Sending,
): Promise<Watched> {
  const { session } = unlocked;
  const { world } = session.desk;
  const jobs = [...batch.ready, ...batch.proposed];
  const view = await viewOf(world, options, jobs.flatMap(targetsOf));
  const watch = new JobWatch(
    session,
    jobs.map((job) => ({ ...job, outputBytes })),
    view,
  );
  const cosigning = new AwaitCosign(session, watch, batch.proposed);
  using patience = patienceOf(world, options.waitTimeout);
  try {
    const watched = view.isQuiet ? "quiet" : true;
    if (batch.ready.length > 0) await submitJobs(unlocked, batch.ready, { watch: watched, title });
    await Promise.all([watch.settled(patience.signal), cosigning.settled(patience.signal)]);
  } catch (error) {
    throw withJob(error, jobs);
  } finally {
    view.finish(watch.results);
  }
  if (patience.signal.reason === UNREAD) say(world, "nobody reads the output any more; the job goes on");
  return { results: watch.results, cosigning };
}

function targetsOf({ manifest, targets }: ComposedJob): readonly Target[] {
  return targets.map((device) => ({ job: manifest.job, device }));
}

type Concluded = Pick<Sending, "json"> & { readonly batch: Batch; readonly cosigning: AwaitCosign };

function conclude({ world, options }: Desk, results: readonly Ended[], { batch, cosigning, json }: Concluded): number {
  const jobs = [...batch.ready, ...batch.proposed];
  const [first] = jobs;
  if (options.json === true) {
    const ids = jobs.map(({ manifest }) => manifest.job);
    const devices = results.map(resultJson);
    printJson(world, {
      batch: first?.manifest.batch,
      jobs: ids,
      ...json,
      devices,
      ...proposalsJson(cosigning.waiting),
    });
  }
  const left = results.filter(({ result, target }) => result === undefined && !cosigning.isUnsent(target.job));
  if (left.length > 0) {
    const verb = left.length === 1 ? "has" : "have";
    const [one] = left;
    say(
      world,
      `sent; ${left.length} ${plural(left.length)} of ${results.length} ${verb} not answered yet; see keybound job show ${one?.target.job}`,
    );
  }
  return results.every(({ result }) => hasSucceeded(result)) ? 0 : 1;
}

/** A relay that was lost while we waited: the job may have been sent, and its answers come later. */
function withJob(error: unknown, jobs: readonly ComposedJob[]): unknown {
  if (!(error instanceof Fault) || error.code !== "relay-unreachable") return error;
  const hint = `the job may be on its way: keybound job show ${jobs[0]?.manifest.job}`;
  return new Fault(error.code, error.detail, { cause: error, hint });
}

function plural(count: number): string {
  return count === 1 ? "device" : "devices";
}
