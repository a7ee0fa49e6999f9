// `keybound job show`: one job as it was signed, and what each device proves to have done with it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { JobWork } from "../../protocol/job-work.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { type CommonOptions, type Desk, openDesk, print, printJson, say } from "../desk.ts";
import { shortId } from "../devices/device-name.ts";
import { type Ending, endingWords, partGone } from "../devices/gone-devices.ts";
import { Fault, writeFault } from "../fault.ts";
import { AT_START } from "../results/follow-job.ts";
import { type Delivery, type JobRecord, readRecord } from "../results/job-record.ts";
import { withoutSecrets } from "../library/secret-variables.ts";
import { findJob } from "../results/listed-jobs.ts";
import { plain } from "../present/escape.ts";
import { noteWords, hasSucceeded } from "../present/result-words.ts";
import { resultJson } from "../present/result-json.ts";
import { countResults, countWords } from "../present/result-counts.ts";
import { date } from "../present/time.ts";
import { type Ended, printGroups } from "../present/run-view.ts";
import { readAnswer, readOutput, verifyChain } from "../results/read-result.ts";
import { placeAmong, type Reader, readerOf } from "../results/reader.ts";
import { type Answered, type OccurrenceList, readOccurrences } from "../results/occurrence-list.ts";
import { occurrenceLines, occurrencesJson } from "../present/occurrence-words.ts";
import { scheduleWords } from "../jobs/schedule-words.ts";
import { workTitle } from "../jobs/run-request.ts";
import { openSession, type Session } from "../connection/session.ts";
import { writeWhole } from "../home/stored-file.ts";
import { openUnlocked } from "../unlock/unlock.ts";
import type { DeviceResult } from "../results/watch-jobs.ts";
import type { World } from "../world.ts";

export type ShowOptions = CommonOptions & {
  readonly export?: string;
  readonly unlock?: boolean;
  /** Of the devices only those that did not succeed, or have not answered. */
  readonly failed?: boolean;
};

/** Answers the exit code: 1 where anything does not verify. */
export async function showJob(world: World, typed: string, options: ShowOptions): Promise<number> {
  using desk = openDesk(world, options);
  const { session: opened, own } = await openReaders(desk, options.unlock === true);
  using session = opened;
  const record = await readRecord(session, await findJob(session, typed), own);
  const ended: Shown[] = [];
  for (const delivery of record.deliveries) ended.push(await endedOf(session, { record, delivery, own }));
  await noteGone(session, ended);
  if (options.export !== undefined) exportFiles(world, options.export, { session, record });
  const shown = options.failed === true ? ended.filter(({ result }) => !hasSucceeded(result)) : ended;
  if (options.json === true) printJson(world, { ...json(record, shown), counts: countResults(ended) });
  else {
    printRecord(world, record, shown);
    say(world, sumWords(ended));
  }
  return ended.some(({ result }) => result?.type === "untrusted") ? 1 : 0;
}

/** The readers that are ours: this client, and with `--unlock` its operator. */
async function openReaders(desk: Desk, unlock: boolean): Promise<{ session: Session; own: readonly Reader[] }> {
  const client = readerOf(desk.home.access.sealing);
  if (!unlock) return { session: await openSession(desk), own: [client] };
  const { session, keys } = await openUnlocked(desk);
  return { session, own: [client, keys] };
}

type Reading = { readonly record: JobRecord; readonly delivery: Delivery; readonly own: readonly Reader[] };

/** How it ended on a device; of a job that comes round the newest answer, and the list of them; of a device that will not answer why. */
type Shown = Ended & { readonly occurrences?: OccurrenceList; gone?: Ending };

/** Asks of those that have not answered whether they ever will. */
async function noteGone(session: Session, ended: readonly Shown[]): Promise<void> {
  const waiting = ended.filter(
    ({ result, target }) => result === undefined && session.roster.devices.has(target.device.device),
  );
  const { gone } = await partGone(
    session,
    waiting.map(({ target }) => target.device),
  );
  const endings = new Map(gone.map(({ device, why, at }) => [device.device, { why, at }]));
  for (const one of waiting) {
    const ending = endings.get(one.target.device.device);
    if (ending !== undefined) one.gone = ending;
  }
}

async function endedOf(session: Session, { record, delivery, own }: Reading): Promise<Shown> {
  const { device: id, state, note } = delivery;
  const device = session.roster.devices.get(id);
  const followed = { ...AT_START, delivery: state, ...(note === undefined ? {} : { note }) };
  const target = { job: record.manifest.job, device: deviceOf(session, id) };
  const reading = { record, delivery, own };
  if (record.manifest.runs !== undefined && device !== undefined && record.receipts.has(id))
    return { target, followed, ...(await roundsOf(session, reading, device)) };
  return { target, followed, result: await resultOf(session, reading, device) };
}

async function roundsOf(
  session: Session,
  { record, own }: Reading,
  device: RosterDevice,
): Promise<Pick<Shown, "result" | "occurrences">> {
  try {
    const occurrences = await readOccurrences(session, record, device);
    const [newest] = occurrences.answers;
    if (newest === undefined) throw new Fault("relay-odd", `no receipt of ${device.name}, which it says has answered`);
    return { occurrences, result: await openAnswer(session, { record, own, read: newest }) };
  } catch (error) {
    return { result: untrusted(error) };
  }
}

async function resultOf(
  session: Session,
  { record, delivery, own }: Reading,
  device: RosterDevice | undefined,
): Promise<DeviceResult | undefined> {
  const envelope = record.receipts.get(delivery.device);
  if (envelope !== undefined) return await answerOf(session, { record, envelope, own, device });
  if (delivery.state === "expired") return { type: "expired" };
  if (delivery.state === "taken" && delivery.note !== undefined)
    return { type: "refused-unsigned", note: delivery.note };
  return undefined;
}

type Answering = Pick<Reading, "record" | "own"> & {
  readonly envelope: Uint8Array;
  readonly device: RosterDevice | undefined;
};

async function answerOf(session: Session, { record, envelope, own, device }: Answering): Promise<DeviceResult> {
  try {
    if (device === undefined) throw refuse("roster-device-unknown", "it was removed, so its key is not known here");
    const read = readAnswer(envelope, { asked: record, device, tenant: session.state.tenant });
    await verifyChain(session, device, read);
    return await openAnswer(session, { record, own, read });
  } catch (error) {
    return untrusted(error);
  }
}

type Verified = Pick<Reading, "record" | "own"> & { readonly read: Answered };

async function openAnswer(session: Session, { record, own, read }: Verified): Promise<DeviceResult> {
  const { readers } = record.manifest;
  const reader = own.find((one) => placeAmong(readers, one) >= 0);
  if (reader === undefined) throw refuse("output-sealed", "repeat with --unlock");
  return { type: "answered", ...read, output: await readOutput(session, read.receipt, { readers, reader }) };
}

function untrusted(error: unknown): DeviceResult {
  if (error instanceof Refusal || (error instanceof Fault && error.code !== "relay-unreachable"))
    return { type: "untrusted", error };
  throw error;
}

/** A device as the roster has it; one that it no longer has by its id only. */
export function deviceOf(session: Session, device: string): RosterDevice {
  return session.roster.devices.get(device) ?? removedDevice(device);
}

function removedDevice(device: string): RosterDevice {
  return { device, sig: "", enc: "", name: shortId(device), class: "", request: "", since: 0 };
}

// --- Showing ---

function printRecord(world: World, record: JobRecord, ended: readonly Shown[]): void {
  const { manifest, statement, signers, submittedAt, work } = record;
  print(world, `job        ${manifest.job}`);
  print(world, `statement  ${statement}`);
  print(world, `signed by  ${signers.map(plain).join(", ")}`);
  print(world, `sent       ${date(submittedAt)}   ends ${date(manifest.expiresAt)}`);
  print(world, `runs       ${work instanceof Refusal ? `(${work.code}: ${work.detail})` : workWords(work)}`);
  const window = work instanceof Refusal || work.kind !== "run" ? undefined : work.body.window;
  for (const words of scheduleWords(manifest, window)) print(world, `when       ${words}`);
  const waiting = ended.filter(({ result }) => result === undefined);
  for (const { target, followed, gone } of waiting) {
    const note = followed.note === undefined ? "" : ` (its word, not signed: ${noteWords(followed.note)})`;
    const never = gone === undefined ? "" : `; no answer will come: ${endingWords(gone)}`;
    print(world, `${target.device.name}: ${followed.delivery}${note}${never}`);
  }
  printGroups(world, ended);
  for (const { target, result } of ended) {
    if (result?.type !== "answered") continue;
    const { seq, time, keyHead } = result.receipt;
    print(world, `receipt    ${target.device.name} ${seq}, ${date(time)}, key log ${keyHead.seq}, ${result.id}`);
  }
  for (const { target, occurrences } of ended) {
    for (const line of occurrences === undefined ? [] : occurrenceLines(target.device.name, occurrences))
      print(world, line);
  }
}

/** How many answered, then how many came to which end. */
function sumWords(ended: readonly Ended[]): string {
  const { total, waiting, succeeded } = countResults(ended);
  const failed = total - waiting - succeeded;
  const head = `${total - waiting} of ${total} answered${failed === 0 ? "" : `, ${failed} not as asked`}`;
  return total > 1 ? `${head}: ${countWords(ended)}` : head;
}

function workWords(work: JobWork): string {
  return work.kind === "run" ? `${work.body.shell}: ${workTitle(work)}` : workTitle(work);
}

/** The body as people may see it. */
function shownBody(work: JobWork): object {
  return work.kind === "run" ? withoutSecrets(work.body) : work.body;
}

function json({ manifest, statement, signers, submittedAt, work }: JobRecord, ended: readonly Shown[]): object {
  const { job, batch, kind, issuedAt, notBefore, expiresAt, keyHead, runs } = manifest;
  const shown = work instanceof Refusal ? { body: null, bodyRefused: work.code } : { body: shownBody(work) };
  return {
    job,
    batch,
    kind,
    statement,
    signers,
    submittedAt,
    issuedAt,
    notBefore,
    expiresAt,
    keyHead,
    ...shown,
    ...(runs === undefined ? {} : { runs }),
    devices: ended.map((one) => ({ ...resultJson(one), ...occurrencesJson(one.occurrences), ...goneJsonOf(one) })),
  };
}

const goneJsonOf = ({ gone }: Shown) => (gone === undefined ? {} : { gone });

function exportFiles(world: World, folder: string, { session, record }: { session: Session; record: JobRecord }): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw writeFault(error, folder);
  }
  const nameOf = (device: string) => session.roster.devices.get(device)?.name ?? shortId(device);
  const files = new Map([...record.receipts].map(([device, envelope]) => [`receipt-${nameOf(device)}.json`, envelope]));
  files.set(`job-${shortId(record.manifest.job)}.json`, record.envelope);
  for (const [name, envelope] of files) {
    writeWhole(join(folder, name), envelope, { replace: true });
    say(world, `wrote ${join(folder, name)}`);
  }
}
