// How far a sent job has come on each of its devices, as far as that is proved: by the device's signed receipt, or not at all.
import { isSuccess, type Outcome } from "../../protocol/outcome.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Session } from "../connection/session.ts";
import type { JobRecord } from "./job-record.ts";
import { readAnswer } from "./read-result.ts";

export type DeviceStanding = {
  readonly device: RosterDevice;
  /** `coming-round`: one occurrence has ended, others may come. `unverified`: what came as its answer does not prove itself. */
  readonly is: "succeeded" | "failed" | "coming-round" | "unanswered" | "unverified";
  readonly outcome?: Outcome;
};

/** Of the devices that the roster still has. */
export function standingsOf({ roster, state }: Session, record: JobRecord): readonly DeviceStanding[] {
  return record.manifest.targets.flatMap((id) => {
    const device = roster.devices.get(id);
    return device === undefined ? [] : [standingOf(device, record, state.tenant)];
  });
}

/** Targets that the roster has no more: nothing can be sealed to them. */
export function removedTargets({ roster }: Session, { manifest }: Pick<JobRecord, "manifest">): number {
  return manifest.targets.filter((id) => !roster.devices.has(id)).length;
}

function standingOf(device: RosterDevice, record: JobRecord, tenant: string): DeviceStanding {
  const envelope = record.receipts.get(device.device);
  if (envelope === undefined) return { device, is: "unanswered" };
  try {
    const { outcome, runsLeft = 0 } = readAnswer(envelope, { asked: record, device, tenant }).receipt;
    if (runsLeft > 0) return { device, is: "coming-round", outcome };
    return { device, is: isSuccess(outcome) ? "succeeded" : "failed", outcome };
  } catch (error) {
    if (error instanceof Refusal) return { device, is: "unverified" };
    throw error;
  }
}
