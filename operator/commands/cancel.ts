// `keybound cancel`: ends a job where it runs, and keeps it from beginning where it does not yet; each device proves how far it had got.
import { confirmed } from "../ask.ts";
import type { DeviceChoice } from "../jobs/choose-among.ts";
import { composeCancels } from "../jobs/compose-cancel.ts";
import { type CommonOptions, openDesk, printJson, say } from "../desk.ts";
import { findMeantJobs } from "../jobs/meant-jobs.ts";
import { endingView } from "../present/ending-view.ts";
import { foldNames } from "../present/fold.ts";
import { type CancelPlan, planCancel } from "../jobs/plan-cancel.ts";
import { dropProposal } from "../cosign/proposals.ts";
import { sendJobs, type WaitOptions } from "../jobs/send-and-wait.ts";
import { batchOf } from "../jobs/send-jobs.ts";
import type { Session } from "../connection/session.ts";
import { openUnlocked } from "../unlock/unlock.ts";
import type { World } from "../world.ts";

export type CancelOptions = CommonOptions & WaitOptions & DeviceChoice & { readonly ignoreClock?: boolean };

/** Answers the exit code: 0 where every device proves that the job neither runs nor will, else 1. */
export async function cancel(world: World, typed: string, options: CancelOptions): Promise<number> {
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  if (options.ignoreClock !== true) session.checkClock();
  const plan = await planCancel(unlocked, await findMeantJobs(session, typed), options);
  sayPlan(world, plan);
  const devices = plan.jobs.flatMap((job) => job.devices);
  if (devices.length > 0 || plan.drops.length > 0)
    await confirmed(world, options.yes, `Cancel it on ${countOf(devices.length)}?`);
  for (const { statement } of plan.drops) await dropProposal(session, statement);
  await withdrawFrom(session, plan);
  const cancelled = plan.jobs.map(({ manifest }) => manifest.job);
  if (cancelled.length === 0) {
    if (options.json === true) printJson(world, { jobs: [], cancelled, devices: [] });
    return 0;
  }
  const composed = await composeCancels(unlocked, plan.jobs);
  return await sendJobs(unlocked, batchOf(session, composed), {
    title: `cancel ${plan.title}`,
    outputBytes: 0,
    options,
    viewOf: endingView,
    json: { cancelled },
  });
}

function sayPlan(world: World, { title, jobs, drops, kept, answered, removed, besides }: CancelPlan): void {
  const names = foldNames([...new Set(jobs.flatMap(({ devices }) => devices.map(({ name }) => name)))]);
  say(world, `job: ${title}`);
  if (jobs.length === 0) say(world, "nothing is left to cancel");
  else say(world, `on ${names}: where it runs it is ended, where it waits or has not come it will not run`);
  if (answered.length > 0) say(world, `done with it already: ${foldNames(answered.map(({ device }) => device.name))}`);
  if (drops.length > 0) say(world, "it waits for another signature: that is taken away too");
  if (kept.length > 0)
    say(
      world,
      "warning: it waits for another signature, for these and other devices: keybound cosign --reject takes it away for all",
    );
  if (removed > 0) say(world, `warning: ${countOf(removed)} of it left the roster and cannot be told`);
  if (besides > 0)
    say(world, `${besides} more of its batch go on: give the batch's id to cancel them all (keybound jobs --json)`);
}

/** What has not gone out does not go out any more; by the relay's word, which the signed cancel does not rest on. */
async function withdrawFrom({ client }: Session, { records, jobs }: CancelPlan): Promise<void> {
  for (const { manifest } of records) {
    const devices = jobs.find((one) => one.manifest.job === manifest.job)?.devices.map(({ device }) => device) ?? [];
    if (devices.length > 0) await client.ask("ok", { type: "withdraw-job", job: manifest.job, devices });
  }
}

function countOf(count: number): string {
  return `${count} ${count === 1 ? "device" : "devices"}`;
}
