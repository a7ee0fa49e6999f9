// Devices that have not answered a job may have run it, or run it yet. Each is sent a cancel, and only what it then says under its
// signature proves that the job never began there and never will.
import type { CancelState, Outcome } from "../../protocol/outcome.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Session } from "../connection/session.ts";
import { Fault } from "../fault.ts";
import { CANCEL_WAIT_MS } from "../limits.ts";
import { CANCEL_WORDS } from "../present/cancel-words.ts";
import { type Ended, silentView } from "../present/run-view.ts";
import { standingsOf } from "../results/device-standing.ts";
import { type JobRecord, readRecord } from "../results/job-record.ts";
import type { Unlocked } from "../unlock/unlock.ts";
import { composeCancels } from "./compose-cancel.ts";
import { sendAndWatch, type WaitOptions } from "./send-and-wait.ts";
import { batchOf, proposeJobs } from "./send-jobs.ts";

export type Proof = {
  readonly unbegun: readonly RosterDevice[];
  readonly begun: readonly {
    readonly device: RosterDevice;
    readonly state: CancelState | "answered";
    readonly why: string;
  }[];
  /** No answer to the cancel that proves anything. */
  readonly silent: readonly RosterDevice[];
};

export type Unanswered = {
  readonly title: string;
  readonly records: readonly JobRecord[];
  readonly devices: readonly RosterDevice[];
  readonly options: WaitOptions;
};

/** Waits a while for devices that are connected. Throws `rerun-interrupted` after Ctrl-C: the cancels have gone out by then. */
export async function proveUnbegun(unlocked: Unlocked, unanswered: Unanswered): Promise<Proof> {
  const { title, records, devices, options } = unanswered;
  if (devices.length === 0) return { unbegun: [], begun: [], silent: [] };
  const { session } = unlocked;
  const jobs = records
    .map((record) => ({ ...record, devices: devices.filter(({ device }) => record.manifest.targets.includes(device)) }))
    .filter((job) => job.devices.length > 0);
  await withdraw(session, jobs);
  const batch = batchOf(session, await composeCancels(unlocked, jobs));
  const sending = {
    title: `cancel ${title}`,
    outputBytes: 0,
    options: { ...options, waitTimeout: Math.min(options.waitTimeout ?? CANCEL_WAIT_MS, CANCEL_WAIT_MS) },
    viewOf: silentView,
  };
  await proposeJobs(unlocked, batch.proposed, sending.title);
  const results = await uninterrupted(session, async () => (await sendAndWatch(unlocked, batch, sending)).results);
  return sorted(results, await answeredBy(session, jobs));
}

async function withdraw({ client }: Session, jobs: readonly (JobRecord & { devices: readonly RosterDevice[] })[]) {
  for (const { manifest, devices } of jobs)
    await client.ask("ok", {
      type: "withdraw-job",
      job: manifest.job,
      devices: devices.map(({ device }) => device),
    });
}

async function uninterrupted<T>({ desk }: Session, act: () => Promise<T>): Promise<T> {
  let isInterrupted = false;
  const stopListening = desk.world.onInterrupt(() => (isInterrupted = true));
  try {
    const value = await act();
    if (isInterrupted) throw new Fault("rerun-interrupted", "");
    return value;
  } finally {
    stopListening();
  }
}

/** Ids of the devices whose answer to the former job has come meanwhile. */
async function answeredBy(session: Session, jobs: readonly JobRecord[]): Promise<ReadonlySet<string>> {
  const answered = new Set<string>();
  for (const { manifest } of jobs) {
    const record = await readRecord(session, manifest.job, []);
    for (const { device, is, outcome } of standingsOf(session, record))
      if (is !== "unanswered" && !wasCancelled(outcome)) answered.add(device.device);
  }
  return answered;
}

function wasCancelled(outcome: Outcome | undefined): boolean {
  return outcome?.type === "cancelled" && outcome.by === "operator";
}

const UNBEGUN: ReadonlySet<CancelState> = new Set(["was-waiting", "barred", "expired"]);

function sorted(results: readonly Ended[], answered: ReadonlySet<string>): Proof {
  const unbegun: RosterDevice[] = [];
  const begun: Proof["begun"][number][] = [];
  const silent: RosterDevice[] = [];
  for (const { target, result } of results) {
    const { device } = target;
    const outcome = result?.type === "answered" ? result.receipt.outcome : undefined;
    const states = outcome?.type === "cancel-done" ? outcome.jobs.map(({ state }) => state) : [];
    const [state] = states.filter((one) => !UNBEGUN.has(one));
    if (states.length === 0) silent.push(device);
    else if (state !== undefined) begun.push({ device, state, why: CANCEL_WORDS[state] });
    else if (answered.has(device.device)) begun.push({ device, state: "answered", why: "has answered since" });
    else unbegun.push(device);
  }
  return { unbegun, begun, silent };
}
