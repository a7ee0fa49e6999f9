// `keybound run`: signs a job for listed devices, sends it, and shows what they prove to have done.
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Window } from "../../protocol/window.ts";
import { chooseTargets, requireTargets, type TargetOptions } from "../devices/choose-targets.ts";
import { composeFor } from "../jobs/compose-for.ts";
import { type CommonOptions, openDesk } from "../desk.ts";
import type { ComposedJob } from "../jobs/compose-job.ts";
import { Fault } from "../fault.ts";
import { type FileOptions, localFiles } from "../files/file-options.ts";
import { passingExitCode } from "../results/passed-exit-code.ts";
import { type BodyOptions, jobTitle, type Program, readBodyOptions, readProgram } from "../jobs/run-request.ts";
import { scheduleWords } from "../jobs/schedule-words.ts";
import { filesField, sealFiles } from "../files/seal-file.ts";
import { type Sending, sendJobs, type WaitOptions } from "../jobs/send-and-wait.ts";
import { batchOf } from "../jobs/send-jobs.ts";
import type { Session } from "../connection/session.ts";
import { openUnlocked } from "../unlock/unlock.ts";
import { uploadFiles } from "../files/upload-files.ts";
import { readWhen, timesOf, type WhenOptions } from "../jobs/when.ts";
import type { World } from "../world.ts";

export type RunOptions = CommonOptions &
  TargetOptions &
  BodyOptions &
  FileOptions &
  WhenOptions &
  WaitOptions & { readonly ignoreClock?: boolean };

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
  const when = readWhen(options, world.now());
  const files = await sealFiles(world, localFiles(options, world.platform));
  const body = { ...(await readBodyOptions(world, program, options)), ...filesField(files) };
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  if (options.ignoreClock !== true) session.checkClock();
  const targets = await narrow(session, chooseTargets(session.roster, options));
  if (options.exitCode === true && targets.length > 1)
    throw new Fault("misuse", `--exit-code is one device's, and these are ${targets.length}`);
  const times = timesOf(when, { policy: session.state.policy, now: world.now() });
  await uploadFiles(session, files);
  const composed = await composeFor(unlocked, { work: { kind: "run", body }, targets, ...times });
  const detach = isDetached(options);
  const sending = { title: jobTitle(body), outputBytes: body.limits.outputBytes, options: { ...options, detach } };
  return await sendJobs(unlocked, batchOf(session, composed), {
    ...sending,
    ...laterOf(composed, body.window, detach),
  });
}

/** What is to run later is waited for only where that is asked for, and what comes round not even then. */
function isDetached({ detach, wait, waitTimeout, exitCode, at, window, every }: RunOptions): boolean {
  if (detach === true || every !== undefined) return true;
  const isWaiting = wait === true || waitTimeout !== undefined || exitCode === true;
  return (at !== undefined || window !== undefined) && !isWaiting;
}

/** What is said of the times of a job that is not waited for. */
function laterOf([first]: readonly ComposedJob[], window: Window | undefined, isLeft: boolean): LaterWords {
  if (first === undefined || !isLeft) return {};
  const { notBefore, expiresAt, runs } = first.manifest;
  const json = {
    notBefore,
    expiresAt,
    ...(runs === undefined ? {} : { runs }),
    ...(window === undefined ? {} : { window }),
  };
  return { schedule: scheduleWords(first.manifest, window), json };
}

type LaterWords = Pick<Sending, "schedule" | "json">;
