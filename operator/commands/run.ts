// `keybound run`: signs a job for listed devices, sends it, and shows what they prove to have done.
import { DEFAULT_JOB_LIFETIME_MS } from "../../protocol/limits.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { AwaitCosign } from "../await-cosign.ts";
import { chooseTargets, requireTargets, type TargetOptions } from "../choose-targets.ts";
import { type BodyFields, composeJobs, type ComposedJob, type JobRequest } from "../compose-job.ts";
import { type CommonOptions, type Desk, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { exitCodeOf, passingExitCode } from "../passed-exit-code.ts";
import { resultJson } from "../present/result-json.ts";
import { hasSucceeded } from "../present/result-words.ts";
import type { Ended } from "../present/run-view.ts";
import { span } from "../present/span.ts";
import { viewFor } from "../present/view-for.ts";
import { type BodyOptions, jobTitle, type Program, readBodyOptions, readProgram } from "../run-request.ts";
import { type Batch, batchOf, missingWords, proposeJobs, submitJobs } from "../send-jobs.ts";
import type { Session } from "../session.ts";
import { openUnlocked, type Unlocked } from "../unlock.ts";
import { patienceOf, UNREAD } from "../wait-for.ts";
import { JobWatch, type Target } from "../watch-jobs.ts";
import type { World } from "../world.ts";

export type RunOptions = CommonOptions &
  TargetOptions &
  BodyOptions & {
    readonly expires?: number;
    readonly wait?: boolean;
    readonly detach?: boolean;
    readonly waitTimeout?: number;
    readonly ignoreClock?: boolean;
    readonly exitCode?: boolean;
  };

/** A choice among the devices that were asked for, once the roster is known. */
export type NarrowTargets = (session: Session, targets: readonly RosterDevice[]) => Promise<readonly RosterDevice[]>;

/** Answers the exit code: 0 where every device succeeded (or the job was sent, with `--detach`), else 1. */
export async function run(world: World, words: readonly string[], options: RunOptions): Promise<number> {
  requireTargets(options);
  return await runProgram(
    world,
    { program: readProgram(world, words, options), narrow: async (_, all) => all },
    options,
  );
}

type Asked = { readonly program: Program; readonly narrow: NarrowTargets };

/**
 * The one way to run anything: what it was made of is the only difference between a command and a script of a library. With
 * `--exit-code` it answers the job's own, or 255.
 */
export async function runProgram(world: World, asked: Asked, options: RunOptions): Promise<number> {
  const whole = () => composeAndRun(world, asked, options);
  return options.exitCode === true ? await passingExitCode(world, whole) : await whole();
}

async function composeAndRun(world: World, { program, narrow }: Asked, options: RunOptions): Promise<number> {
  if (options.stdin === "-" && options.passphraseFile === undefined && options.passphraseFd === undefined) {
    throw new Fault(
      "misuse",
      "--stdin - takes standard input: give the passphrase by --passphrase-file or --passphrase-fd",
    );
  }
  const body = await readBodyOptions(world, program, options);
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  if (options.ignoreClock !== true) session.checkClock();
  const targets = await narrow(session, chooseTargets(session.roster, options));
  if (options.exitCode === true && targets.length > 1)
    throw new Fault("misuse", `--exit-code is one device's, and these are ${targets.length}`);
  const expiresInMs = windowOf(session, options.expires);
  const batch = batchOf(session, await compose(unlocked, { work: { kind: "run", body }, targets, expiresInMs }));
  await proposeJobs(unlocked, batch.proposed, jobTitle(body));
  if (options.detach === true) {
    if (batch.ready.length > 0) await submitJobs(unlocked, batch.ready, { watch: false, title: jobTitle(body) });
    return sayDetached(desk, batch);
  }
  return await sendAndWait(unlocked, batch, { body, options });
}

/** How long the job may wait for its devices. Throws `misuse` for longer than the policy lets it. */
function windowOf({ state }: Session, asked: number | undefined): number {
  const longest = state.policy.maxJobLifetimeMs;
  if (asked === undefined) return Math.min(DEFAULT_JOB_LIFETIME_MS, longest);
  if (asked > longest) throw new Fault("misuse", `--expires: the policy allows ${span(longest)}`);
  return asked;
}

function compose({ session, keys }: Unlocked, request: JobRequest): Promise<readonly ComposedJob[]> {
  const { home, world } = session.desk;
  return composeJobs(request, {
    state: session.state,
    signer: keys,
    operator: home.config.operator,
    access: home.access.sealing.publicKey,
    now: world.now(),
    random: world.random,
  });
}

function sayDetached({ world, options }: Desk, { ready, proposed }: Batch): number {
  const ids = ready.map(({ manifest }) => manifest.job);
  const names = [...ready, ...proposed].flatMap(({ targets }) => targets.map(({ name }) => name));
  if (options.json === true) {
    printJson(world, { jobs: ids, targets: names, ...proposalsJson(proposed) });
    return 0;
  }
  for (const { manifest } of [...ready, ...proposed]) print(world, manifest.job);
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

async function sendAndWait(
  unlocked: Unlocked,
  batch: Batch,
  { body, options }: { readonly body: BodyFields; readonly options: RunOptions },
): Promise<number> {
  const { session } = unlocked;
  const { world } = session.desk;
  const jobs = [...batch.ready, ...batch.proposed];
  const view = await viewFor(world, options, jobs.flatMap(targetsOf));
  const { outputBytes } = body.limits;
  const watch = new JobWatch(
    session,
    jobs.map((job) => ({ ...job, outputBytes })),
    view,
  );
  const cosigning = new AwaitCosign(session, watch, batch.proposed);
  using patience = patienceOf(world, options.waitTimeout);
  try {
    const watched = view.isQuiet ? "quiet" : true;
    if (batch.ready.length > 0) await submitJobs(unlocked, batch.ready, { watch: watched, title: jobTitle(body) });
    await Promise.all([watch.settled(patience.signal), cosigning.settled(patience.signal)]);
  } catch (error) {
    throw withJob(error, jobs);
  } finally {
    view.finish(watch.results);
  }
  if (patience.signal.reason === UNREAD) say(world, "nobody reads the output any more; the job goes on");
  for (const job of cosigning.waiting) say(world, missingWords(session, job));
  const code = conclude(session.desk, watch.results, { batch, cosigning });
  return options.exitCode === true ? exitCodeOf(watch.results[0]?.result) : code;
}

function targetsOf({ manifest, targets }: ComposedJob): readonly Target[] {
  return targets.map((device) => ({ job: manifest.job, device }));
}

type Concluded = { readonly batch: Batch; readonly cosigning: AwaitCosign };

function conclude({ world, options }: Desk, results: readonly Ended[], { batch, cosigning }: Concluded): number {
  const jobs = [...batch.ready, ...batch.proposed];
  const [first] = jobs;
  if (options.json === true) {
    const ids = jobs.map(({ manifest }) => manifest.job);
    const devices = results.map(resultJson);
    printJson(world, { batch: first?.manifest.batch, jobs: ids, devices, ...proposalsJson(cosigning.waiting) });
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
