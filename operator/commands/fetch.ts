// `keybound fetch`: one file of one device, asked for by a signed job, verified, and written here.
import { existsSync, statSync } from "node:fs";
import { join, posix, win32 } from "node:path";
import { DEFAULT_JOB_LIFETIME_MS, MAX_FILE_BYTES } from "../../protocol/limits.ts";
import { isFileName, isFilePlace } from "../../protocol/job-file.ts";
import { AwaitCosign } from "../cosign/await-cosign.ts";
import { chooseTargets } from "../devices/choose-targets.ts";
import { composeFor } from "../jobs/compose-for.ts";
import type { WorkFields } from "../jobs/compose-job.ts";
import { type CommonOptions, type Desk, openDesk, print, printJson, say } from "../desk.ts";
import { downloadFile } from "../files/download-file.ts";
import { Fault } from "../fault.ts";
import { plain } from "../present/escape.ts";
import { resultJson } from "../present/result-json.ts";
import { resultHint, resultWords } from "../present/result-words.ts";
import { silentView } from "../present/run-view.ts";
import { sizeWords } from "../present/transfer.ts";
import { readerOf } from "../results/reader.ts";
import { workTitle } from "../jobs/run-request.ts";
import { batchOf, missingWords, proposeJobs, submitJobs } from "../jobs/send-jobs.ts";
import { requireFree } from "../home/stored-file.ts";
import { openUnlocked, type Unlocked } from "../unlock/unlock.ts";
import { patienceOf } from "../wait-for.ts";
import { JobWatch } from "../results/watch-jobs.ts";
import type { World } from "../world.ts";

export type FetchOptions = CommonOptions & {
  readonly to?: string;
  readonly force?: boolean;
  readonly maxSize?: number;
  readonly expires?: number;
  readonly waitTimeout?: number;
  readonly ignoreClock?: boolean;
};

type Asked = { readonly device: string; readonly path: string; readonly to: string };

/** Answers the exit code: 0 where the file is here, else 1. */
export async function fetchCommand(world: World, device: string, path: string, options: FetchOptions): Promise<number> {
  if (!isFilePlace(path) || isFileName(path))
    throw new Fault("misuse", `${plain(path)}: an absolute path on the device`);
  const asked = { device, path, to: placeFor(path, options.to) };
  requireFree(asked.to, options.force === true);
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  if (options.ignoreClock !== true) session.checkClock();
  return await askAndWait(unlocked, asked, options);
}

/** What was typed decides, and nothing that a device says: the last name of the path, in the folder of the moment or the one given. */
function placeFor(path: string, to: string | undefined): string {
  const name = /^[A-Za-z]:/.test(path) ? win32.basename(path) : posix.basename(path);
  if (to === undefined) return checkedName(name);
  return existsSync(to) && statSync(to).isDirectory() ? join(to, checkedName(name)) : to;
}

function checkedName(name: string): string {
  if (isFileName(name)) return name;
  throw new Fault("misuse", `${plain(name)} is no name for a file here: say --to FILE`);
}

async function askAndWait(unlocked: Unlocked, asked: Asked, options: FetchOptions): Promise<number> {
  const { session } = unlocked;
  const { world } = session.desk;
  const work = { kind: "fetch", body: { path: asked.path, maxBytes: options.maxSize ?? MAX_FILE_BYTES } } as const;
  const targets = chooseTargets(session.roster, { on: [asked.device] });
  const composed = await composeFor(unlocked, { work, targets, expiresInMs: lifetimeOf(unlocked, options) });
  const { ready, proposed } = batchOf(session, composed);
  await proposeJobs(unlocked, proposed, titleOf(work));
  const watch = new JobWatch(
    session,
    composed.map((job) => ({ ...job, outputBytes: 0 })),
    silentView(),
  );
  const cosigning = new AwaitCosign(session, watch, proposed);
  using patience = patienceOf(world, options.waitTimeout);
  if (ready.length > 0) await submitJobs(unlocked, ready, { watch: true, title: titleOf(work) });
  await Promise.all([watch.settled(patience.signal), cosigning.settled(patience.signal)]);
  for (const job of cosigning.waiting) say(world, missingWords(session, job));
  return await conclude(unlocked, watch, { asked, options });
}

function titleOf(work: WorkFields): string {
  return workTitle(work);
}

function lifetimeOf({ session }: Unlocked, { expires }: FetchOptions): number {
  return Math.min(expires ?? DEFAULT_JOB_LIFETIME_MS, session.state.policy.maxJobLifetimeMs);
}

async function conclude(
  { session }: Unlocked,
  watch: JobWatch,
  { asked, options }: { readonly asked: Asked; readonly options: FetchOptions },
): Promise<number> {
  const { desk } = session;
  const [ended] = watch.results;
  if (ended?.result === undefined) {
    say(desk.world, `not answered yet; the job stays queued: keybound job show ${ended?.target.job ?? ""}`);
    return 1;
  }
  const { result, target } = ended;
  const receipt = result.type === "answered" ? result.receipt : undefined;
  if (receipt?.outcome.type !== "fetched") {
    if (options.json === true) printJson(desk.world, resultJson(ended));
    say(desk.world, `${target.device.name}: ${resultWords(result)}`);
    const hint = resultHint(result);
    if (hint !== undefined) say(desk.world, `hint: ${hint}`);
    return 1;
  }
  const { readers } = watch.manifestOf(target.job);
  const reader = readerOf(desk.home.access.sealing);
  await downloadFile(session, { receipt, readers, reader, to: asked.to, replace: options.force === true });
  sayDone(desk, asked, receipt.outcome);
  return 0;
}

type Fetched = { readonly size: number; readonly mode?: number; readonly owner?: string; readonly modifiedAt: number };

function sayDone({ world, options }: Desk, { to }: Asked, { size, mode, owner, modifiedAt }: Fetched): void {
  if (options.json === true) return printJson(world, { file: to, size, mode, owner, modifiedAt });
  print(world, to);
  const whose = mode === undefined ? "" : `, there ${mode.toString(8).padStart(4, "0")} of ${plain(owner ?? "?")}`;
  say(world, `${sizeWords(size)}, last changed ${new Date(modifiedAt).toISOString()}${whose}`);
}
