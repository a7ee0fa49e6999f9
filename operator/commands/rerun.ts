// `keybound rerun`: the same job anew, under a new id, for just those of its devices that failed, or that have not answered and prove
// that they never began it.
import { type Outcome, outcomeWords } from "../../protocol/outcome.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { confirmed } from "../ask.ts";
import type { Session } from "../connection/session.ts";
import { type CommonOptions, openDesk, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { chosenAmong, type DeviceChoice } from "../jobs/choose-among.ts";
import { composeFor } from "../jobs/compose-for.ts";
import type { WorkFields } from "../jobs/compose-job.ts";
import { windowOf } from "../jobs/job-window.ts";
import { findMeantJobs } from "../jobs/meant-jobs.ts";
import { type Proof, proveUnbegun } from "../jobs/prove-unbegun.ts";
import { sendJobs, type WaitOptions } from "../jobs/send-and-wait.ts";
import { batchOf } from "../jobs/send-jobs.ts";
import { foldNames } from "../present/fold.ts";
import { type DeviceStanding, removedTargets, standingsOf } from "../results/device-standing.ts";
import { type JobRecord, readRecord } from "../results/job-record.ts";
import { type Reader, readerOf } from "../results/reader.ts";
import { recordTitle } from "../results/record-title.ts";
import { openUnlocked, type Unlocked } from "../unlock/unlock.ts";
import type { World } from "../world.ts";

export type RerunOptions = CommonOptions &
  WaitOptions &
  DeviceChoice & {
    readonly failed?: boolean;
    readonly unanswered?: boolean;
    readonly expires?: number;
    readonly ignoreClock?: boolean;
  };

/** Answers the exit code of the new job: 0 where every device succeeded; 1 too where a device was left out for want of proof. */
export async function rerun(world: World, typed: string, options: RerunOptions): Promise<number> {
  if (options.failed !== true && options.unanswered !== true)
    throw new Fault("misuse", "on which of its devices? --failed, --unanswered, or both");
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  if (options.ignoreClock !== true) session.checkClock();
  const former = await formerOf(unlocked, typed);
  const expiresInMs = windowOf(session, options.expires);
  const chosen = chosenOf(session, former, options);
  sayChosen(session, former, chosen);
  if (chosen.failed.length + chosen.unanswered.length === 0) return sayNothing(world, options);
  await confirmed(world, options.yes, "Run it again there?");
  const proof = await proveUnbegun(unlocked, {
    ...former,
    devices: chosen.unanswered.map(({ device }) => device),
    options,
  });
  sayProof(world, proof);
  const targets = byName([...chosen.failed.map(({ device }) => device), ...proof.unbegun]);
  const isPartial = proof.begun.length + proof.silent.length > 0;
  if (targets.length === 0) return isPartial ? 1 : sayNothing(world, options);
  const composed = await composeFor(unlocked, { work: former.work, targets, expiresInMs });
  const json = { rerunOf: former.records.map(({ manifest }) => manifest.job), leftOut: leftOutJson(proof) };
  const sending = { title: former.title, outputBytes: outputBytesOf(former.work), options, json };
  const code = await sendJobs(unlocked, batchOf(session, composed), sending);
  return isPartial ? 1 : code;
}

type Former = { readonly title: string; readonly work: WorkFields; readonly records: readonly JobRecord[] };

/** Throws what keeps its body from being read, or `job-mixed`. */
async function formerOf({ session, keys }: Unlocked, typed: string): Promise<Former> {
  const own: readonly Reader[] = [readerOf(session.desk.home.access.sealing), keys];
  const { sent } = await findMeantJobs(session, typed);
  const records: JobRecord[] = [];
  for (const { manifest } of sent) records.push(await readRecord(session, manifest.job, own));
  const [first, ...others] = records;
  if (first === undefined) throw new Fault("job-unknown", `${typed} was not sent: it waits for a signature`);
  const { work, manifest } = first;
  if (work instanceof Refusal) throw work;
  if (manifest.runs !== undefined)
    throw new Fault("misuse", "it comes round, and each time has an end of its own: send it anew with keybound run");
  if (work.kind === "cancel") throw new Fault("job-is-cancel", "");
  if (work.kind === "update") throw new Fault("misuse", "it updates the agent: send it anew with keybound update");
  if (work.kind === "fetch") throw new Fault("misuse", "it fetches a file: fetch it anew with keybound fetch");
  if (others.some((other) => other.manifest.body.sha256 !== manifest.body.sha256)) throw new Fault("job-mixed", typed);
  return { title: recordTitle(session, first), work, records };
}

type Chosen = {
  readonly failed: readonly DeviceStanding[];
  readonly unanswered: readonly DeviceStanding[];
  readonly unverified: readonly DeviceStanding[];
};

/** Throws `device-not-of-job` for one that was named and is none of the job's. */
function chosenOf(session: Session, { records }: Former, options: RerunOptions): Chosen {
  const targets = records.flatMap(({ manifest }) => manifest.targets);
  const isChosen = chosenAmong(session.roster, targets, options);
  const standings = records
    .flatMap((record) => standingsOf(session, record))
    .filter(({ device }) => isChosen(device.device));
  const of = (is: DeviceStanding["is"]) => standings.filter((one) => one.is === is);
  return {
    failed: options.failed === true ? of("failed") : [],
    unanswered: options.unanswered === true ? of("unanswered") : [],
    unverified: of("unverified"),
  };
}

function sayChosen(session: Session, { title, records }: Former, { failed, unanswered, unverified }: Chosen): void {
  const { world } = session.desk;
  say(world, `job: ${title}`);
  const byOutcome = Map.groupBy(failed, ({ outcome }) => wordsOf(outcome));
  for (const [words, standings] of byOutcome) say(world, `again on ${namesOf(standings)}: ${words}`);
  if (failed.some(({ outcome }) => outcome?.type === "lost"))
    say(world, "warning: nobody knows how far it came where it was lost");
  if (unanswered.length > 0) {
    say(world, `not answered by ${namesOf(unanswered)}: such a device may have run it, or run it yet`);
    say(world, "so it is cancelled there first, and run again only where the device proves that it never began");
  }
  if (unverified.length > 0) say(world, `warning: left out, their answers do not verify: ${namesOf(unverified)}`);
  const removed = records.reduce((sum, record) => sum + removedTargets(session, record), 0);
  if (removed > 0) say(world, `warning: ${removed} of its devices left the roster`);
}

function wordsOf(outcome: Outcome | undefined): string {
  return outcome === undefined ? "" : outcomeWords(outcome);
}

function sayNothing(world: World, { json }: RerunOptions): number {
  say(world, "there is no such device: nothing is run again");
  if (json === true) printJson(world, { jobs: [], devices: [] });
  return 0;
}

function sayProof(world: World, { begun, silent }: Proof): void {
  for (const [words, devices] of Map.groupBy(begun, ({ why }) => why))
    say(world, `not run again on ${foldNames(devices.map(({ device }) => device.name))}: it ${words}`);
  if (silent.length === 0) return;
  say(
    world,
    `not run again on ${foldNames(silent.map(({ name }) => name))}: no answer to the cancel yet, so it may have run there`,
  );
  say(world, "the cancel waits for them; repeat the command when they are back");
}

function leftOutJson({ begun, silent }: Proof): readonly object[] {
  return [
    ...begun.map(({ device, state }) => ({ device: device.device, name: device.name, why: state })),
    ...silent.map(({ device, name }) => ({ device, name, why: "no-answer" })),
  ];
}

function outputBytesOf(work: WorkFields): number {
  return work.kind === "run" ? work.body.limits.outputBytes : 0;
}

function namesOf(standings: readonly DeviceStanding[]): string {
  return foldNames(standings.map(({ device }) => device.name));
}

function byName(devices: readonly RosterDevice[]): readonly RosterDevice[] {
  return devices.toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}
