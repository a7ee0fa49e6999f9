// `keybound run`: signs a job for listed devices, sends it, and shows what they prove to have done.
import { chooseTargets, requireTargets, type TargetOptions } from "../choose-targets.ts";
import { composeJobs, type ComposedJob } from "../compose-job.ts";
import { type CommonOptions, type Desk, openDesk, print, printJson, say } from "../desk.ts";
import { DEFAULT_JOB_LIFETIME_MS } from "../../protocol/limits.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { Fault } from "../fault.ts";
import { type BodyOptions, jobTitle, readBodyOptions } from "../run-request.ts";
import type { BodyFields } from "../compose-job.ts";
import { resultJson } from "../present/result-json.ts";
import { hasSucceeded } from "../present/result-words.ts";
import { type Ended, linesView, type RunView, silentView, singleView } from "../present/run-view.ts";
import { openUnlocked, sendCheckpoint, type Unlocked } from "../unlock.ts";
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
  };

/** Answers the exit code: 0 where every device succeeded (or the job was sent, with `--detach`), else 1. */
export async function run(world: World, words: readonly string[], options: RunOptions): Promise<number> {
  requireTargets(options);
  if (options.stdin === "-" && options.passphraseFile === undefined && options.passphraseFd === undefined) {
    throw new Fault(
      "misuse",
      "--stdin - takes standard input: give the passphrase by --passphrase-file or --passphrase-fd",
    );
  }
  const body = await readBodyOptions(world, words, options);
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  if (options.ignoreClock !== true) session.checkClock();
  const targets = chooseTargets(session.roster, options);
  const jobs = await compose(unlocked, { body, targets, expiresInMs: options.expires ?? DEFAULT_JOB_LIFETIME_MS });
  if (options.detach === true) {
    await send(unlocked, jobs, { watch: false, title: jobTitle(body) });
    return sayDetached(desk, jobs, targets);
  }
  return await sendAndWait(unlocked, jobs, { body, targets, options });
}

type Request = { readonly body: BodyFields; readonly targets: readonly RosterDevice[] };

function compose(
  { session, keys }: Unlocked,
  request: Request & { readonly expiresInMs: number },
): Promise<readonly ComposedJob[]> {
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

async function send(
  unlocked: Unlocked,
  jobs: readonly ComposedJob[],
  { watch, title }: { readonly watch: boolean; readonly title: string },
): Promise<void> {
  const { client, desk } = unlocked.session;
  for (const { manifest, parts } of jobs) {
    const { job, batch, expiresAt, targets } = manifest;
    desk.cache.addSentJob({ job, batch, sent: manifest.issuedAt, label: title, targets: targets.length });
    await client.ask("ok", { type: "submit", job, batch, expiresAt, targets, watch }, parts);
  }
  await sendCheckpoint(unlocked);
}

function sayDetached({ world, options }: Desk, jobs: readonly ComposedJob[], targets: readonly RosterDevice[]): number {
  const ids = jobs.map(({ manifest }) => manifest.job);
  if (options.json === true) printJson(world, { jobs: ids, targets: targets.map(({ name }) => name) });
  else for (const id of ids) print(world, id);
  if (options.json !== true)
    say(world, `sent to ${targets.length} ${plural(targets.length)}; see keybound job show ${ids[0]}`);
  return 0;
}

async function sendAndWait(
  unlocked: Unlocked,
  jobs: readonly ComposedJob[],
  { body, targets, options }: Request & { readonly options: RunOptions },
): Promise<number> {
  const { session } = unlocked;
  const { world } = session.desk;
  const view = await viewFor(world, options, jobs.flatMap(targetsOf));
  const { outputBytes } = body.limits;
  const watch = new JobWatch(
    session,
    jobs.map((job) => ({ ...job, outputBytes })),
    view,
  );
  using patience = patienceOf(world, options.waitTimeout);
  try {
    await send(unlocked, jobs, { watch: true, title: jobTitle(body) });
    await watch.settled(patience.signal);
  } catch (error) {
    throw withJob(error, jobs);
  } finally {
    view.finish(watch.results);
  }
  return conclude(session.desk, watch.results, { jobs, count: targets.length });
}

function targetsOf({ manifest, targets }: ComposedJob): readonly Target[] {
  return targets.map((device) => ({ job: manifest.job, device }));
}

async function viewFor(world: World, { json }: RunOptions, targets: readonly Target[]): Promise<RunView> {
  if (json === true) return silentView();
  if (targets.length === 1) return singleView(world);
  if (world.stdout.isTTY !== true || world.stderr.isTTY !== true) return linesView(world);
  const { liveView } = await import("../present/live-view.ts");
  return liveView(world, targets);
}

/** Ends by Ctrl-C or after the time that the person gave it. */
function patienceOf(world: World, timeoutMs: number | undefined): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const stopListening = world.onInterrupt(() => controller.abort());
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => controller.abort(), timeoutMs);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      stopListening();
    },
  };
}

function conclude(
  { world, options }: Desk,
  results: readonly Ended[],
  { jobs, count }: { readonly jobs: readonly ComposedJob[]; readonly count: number },
): number {
  const waiting = results.filter(({ result }) => result === undefined).length;
  const [first] = jobs;
  if (options.json === true) {
    const batch = first?.manifest.batch;
    printJson(world, { batch, jobs: jobs.map(({ manifest }) => manifest.job), devices: results.map(resultJson) });
  }
  if (waiting > 0) {
    const verb = waiting === 1 ? "has" : "have";
    say(
      world,
      `sent; ${waiting} ${plural(waiting)} of ${count} ${verb} not answered yet; see keybound job show ${first?.manifest.job}`,
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
