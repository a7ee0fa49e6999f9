// Signed cancels: for each device the jobs that it is to end or never to begin.
import { toBase64url } from "../../protocol/bytes.ts";
import type { CancelledJob } from "../../protocol/cancel-body.ts";
import { DEFAULT_JOB_LIFETIME_MS, MAX_CANCELLED_JOBS } from "../../protocol/limits.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Unlocked } from "../unlock/unlock.ts";
import { composeFor } from "./compose-for.ts";
import type { ComposedJob } from "./compose-job.ts";
import type { SignedJob } from "./signed-job.ts";

export type ToCancel = Pick<SignedJob, "manifest" | "statement"> & { readonly devices: readonly RosterDevice[] };

/** Of one batch. Devices with the same jobs share a cancel, so that no device hears of jobs that are not its own. */
export async function composeCancels(unlocked: Unlocked, jobs: readonly ToCancel[]): Promise<readonly ComposedJob[]> {
  const { session } = unlocked;
  const batch = toBase64url(session.desk.world.random(16));
  const composed: ComposedJob[] = [];
  for (const { jobs: shared, targets } of sharesOf(jobs)) {
    for (let at = 0; at < shared.length; at += MAX_CANCELLED_JOBS) {
      const part = shared.slice(at, at + MAX_CANCELLED_JOBS);
      const work = { kind: "cancel", body: { jobs: part } } as const;
      composed.push(...(await composeFor(unlocked, { work, targets, batch, expiresInMs: lifetimeOf(unlocked, part) })));
    }
  }
  return composed;
}

type Share = { readonly jobs: CancelledJob[]; readonly targets: readonly RosterDevice[] };

function sharesOf(jobs: readonly ToCancel[]): readonly Share[] {
  const devices = new Map(jobs.flatMap((job) => job.devices.map((device) => [device.device, device] as const)));
  const jobsOf = (device: RosterDevice) =>
    jobs.filter((job) => job.devices.some((one) => one.device === device.device));
  const shares = Map.groupBy(devices.values(), (device) =>
    jobsOf(device)
      .map(({ statement }) => statement)
      .join(" "),
  );
  return [...shares.values()].map((targets) => {
    const [first] = targets;
    return { targets, jobs: first === undefined ? [] : jobsOf(first).map(named) };
  });
}

function named({ manifest: { job, expiresAt }, statement }: ToCancel): CancelledJob {
  return { job, statement, expiresAt };
}

/** As long as a job of it could still come, and a day at least: a job may run on after its end. */
function lifetimeOf({ session }: Unlocked, jobs: readonly CancelledJob[]): number {
  const left = Math.max(...jobs.map(({ expiresAt }) => expiresAt - session.now));
  return Math.min(Math.max(left, DEFAULT_JOB_LIFETIME_MS), session.state.policy.maxJobLifetimeMs);
}
