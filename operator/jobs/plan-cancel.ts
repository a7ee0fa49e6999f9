// What a cancel would do, before anybody confirms it: which jobs, on which of their devices, and what else it would take away.
import type { ToCancel } from "./compose-cancel.ts";
import { type DeviceChoice, chosenAmong } from "./choose-among.ts";
import { type DeviceStanding, removedTargets, standingsOf } from "../results/device-standing.ts";
import { Fault } from "../fault.ts";
import { type JobRecord, readRecord } from "../results/job-record.ts";
import type { MeantJobs } from "./meant-jobs.ts";
import type { ProposedManifest } from "../cosign/proposed-job.ts";
import { readerOf } from "../results/reader.ts";
import { recordTitle } from "../results/record-title.ts";
import type { Session } from "../connection/session.ts";
import type { Unlocked } from "../unlock/unlock.ts";

export type CancelPlan = {
  readonly title: string;
  /** Each with the devices that have not proved that they are done with it. */
  readonly jobs: readonly ToCancel[];
  readonly records: readonly JobRecord[];
  /** Proposals that go. */
  readonly drops: readonly ProposedManifest[];
  /** Proposals that stay, because only a part of their devices is meant. */
  readonly kept: readonly ProposedManifest[];
  readonly answered: readonly DeviceStanding[];
  readonly removed: number;
  readonly besides: number;
};

/** Throws `job-is-cancel` or `device-not-of-job`, or what keeps a job from being read. */
export async function planCancel(unlocked: Unlocked, meant: MeantJobs, choice: DeviceChoice): Promise<CancelPlan> {
  const { session, keys } = unlocked;
  const own = [readerOf(session.desk.home.access.sealing), keys];
  const manifests = [...meant.sent, ...meant.proposed].map(({ manifest }) => manifest);
  if (manifests.some(({ kind }) => kind === "cancel")) throw new Fault("job-is-cancel", "");
  const records: JobRecord[] = [];
  for (const { manifest } of meant.sent) records.push(await readRecord(session, manifest.job, own));
  const isChosen = chosenAmong(
    session.roster,
    manifests.flatMap(({ targets }) => targets),
    choice,
  );
  const standings = records.map((record) =>
    standingsOf(session, record).filter(({ device }) => isChosen(device.device)),
  );
  const sent = records.map((record, at) => {
    const left = standings[at]?.filter((standing) => !isDone(standing)) ?? [];
    return { ...record, devices: left.map(({ device }) => device) };
  });
  const proposed = meant.proposed.map((one) => ({
    ...one,
    devices: one.targets.filter(({ device }) => isChosen(device)),
  }));
  const isWhole = (one: ProposedManifest) => one.targets.every(({ device }) => isChosen(device));
  return {
    title: titleOf(session, records, meant),
    jobs: [...sent, ...proposed].filter(({ devices }) => devices.length > 0),
    records,
    drops: meant.proposed.filter(isWhole),
    kept: meant.proposed.filter((one) => !isWhole(one)),
    answered: standings.flat().filter(isDone),
    removed: records.reduce((sum, record) => sum + removedTargets(session, record), 0),
    besides: meant.besides,
  };
}

function titleOf(session: Session, [first]: readonly JobRecord[], { proposed }: MeantJobs): string {
  return first === undefined ? (proposed[0]?.manifest.job ?? "") : recordTitle(session, first);
}

/** It ended there, whatever came of it. */
function isDone({ is }: DeviceStanding): boolean {
  return is === "succeeded" || is === "failed";
}
