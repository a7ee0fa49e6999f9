// `keybound update`: a version that a release key has signed, for devices that an operator's signature names.
import { toBase64url } from "../../protocol/bytes.ts";
import { DEFAULT_JOB_LIFETIME_MS } from "../../protocol/limits.ts";
import { agentStandings } from "../devices/agent-standing.ts";
import { chooseTargets, requireTargets, type TargetOptions } from "../devices/choose-targets.ts";
import { composeFor } from "../jobs/compose-for.ts";
import type { ComposedJob, WorkFields } from "../jobs/compose-job.ts";
import { type CommonOptions, openDesk, printJson, say } from "../desk.ts";
import {
  leftOutLines,
  planLines,
  planUpdate,
  splitPlan,
  type UpdateGroup,
  type UpdatePlan,
} from "../release/plan-update.ts";
import { endingView } from "../present/ending-view.ts";
import { openRelease, type ReleaseFolder, sealReleased } from "../release/signed-release.ts";
import { pinnedKeys } from "../release/release-keys.ts";
import { sendJobs, type WaitOptions } from "../jobs/send-and-wait.ts";
import { batchOf } from "../jobs/send-jobs.ts";
import type { SealedFile } from "../files/seal-file.ts";
import { openUnlocked, type Unlocked } from "../unlock/unlock.ts";
import { uploadFiles } from "../files/upload-files.ts";
import type { World } from "../world.ts";

export type UpdateOptions = CommonOptions &
  TargetOptions &
  WaitOptions & {
    readonly release: string;
    readonly canary?: number;
    readonly expires?: number;
    readonly ignoreClock?: boolean;
  };

/** Answers the exit code: 0 where every device runs the version now (or the jobs were sent, with `--detach`), else 1. */
export async function update(world: World, options: UpdateOptions): Promise<number> {
  requireTargets(options);
  const from = openRelease(options.release, pinnedKeys());
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  if (options.ignoreClock !== true) session.checkClock();
  const standings = await agentStandings(session, chooseTargets(session.roster, options));
  const plan = planUpdate(from.release, standings);
  for (const line of leftOutLines(from.release, plan)) say(world, line);
  const isPartial = plan.without.length > 0;
  if (plan.groups.length === 0) return nothingToDo(world, options, isPartial);
  const steps = options.canary === undefined ? [plan.groups] : splitPlan(plan, options.canary);
  const code = await inSteps(unlocked, { from, plan, steps, options });
  return isPartial ? 1 : code;
}

function nothingToDo(world: World, { json }: UpdateOptions, isPartial: boolean): number {
  if (json === true) printJson(world, { jobs: [], devices: [] });
  return isPartial ? 1 : 0;
}

type Rollout = {
  readonly from: ReleaseFolder;
  readonly plan: UpdatePlan;
  readonly steps: readonly (readonly UpdateGroup[])[];
  readonly options: UpdateOptions;
};

/** One step after the other; where a device of one has not been updated, the next is not begun. */
async function inSteps(unlocked: Unlocked, { from, plan, steps, options }: Rollout): Promise<number> {
  const { world } = unlocked.session.desk;
  const files = await sealedFiles(world, from, plan);
  await uploadFiles(unlocked.session, [...files.values()]);
  for (const [at, groups] of steps.entries()) {
    for (const line of planLines(from.release, groups)) say(world, line);
    const code = await sendStep(unlocked, { from, groups, files, options });
    if (code === 0) continue;
    const count = steps
      .slice(at + 1)
      .flat()
      .reduce((sum, { devices }) => sum + devices.length, 0);
    if (count > 0)
      say(
        world,
        `stopped: not every device was updated; ${count} more ${count === 1 ? "was" : "were"} not sent anything`,
      );
    return code;
  }
  return 0;
}

type Files = ReadonlyMap<string, SealedFile>;

/** Each platform's file once. */
async function sealedFiles(world: World, from: ReleaseFolder, { groups }: UpdatePlan): Promise<Files> {
  const sealed = new Map<string, SealedFile>();
  for (const { file } of groups) sealed.set(file.name, await sealReleased(from, file, world.random));
  return sealed;
}

type Step = Pick<Rollout, "from" | "options"> & { readonly groups: readonly UpdateGroup[]; readonly files: Files };

async function sendStep(unlocked: Unlocked, { from, groups, files, options }: Step): Promise<number> {
  const { session } = unlocked;
  const { version } = from.release;
  const { policy } = session.state;
  const batch = toBase64url(session.desk.world.random(16));
  const expiresInMs = Math.min(options.expires ?? DEFAULT_JOB_LIFETIME_MS, policy.maxJobLifetimeMs);
  const composed: ComposedJob[] = [];
  for (const group of groups) {
    const targets = group.devices.map(({ device }) => device);
    const work = workOf(from, group, files);
    composed.push(...(await composeFor(unlocked, { work, targets, expiresInMs, batch })));
  }
  return await sendJobs(unlocked, batchOf(session, composed), {
    title: `update to ${version}`,
    outputBytes: 0,
    options,
    viewOf: endingView,
    json: { version, before: groups.flatMap(beforeJson) },
  });
}

function workOf({ release, envelope }: ReleaseFolder, { platform, file }: UpdateGroup, files: Files): WorkFields {
  const sealed = files.get(file.name);
  if (sealed === undefined) throw new Error(`internal error: ${file.name} was not sealed`);
  const { blob, size, sha256, key } = sealed.entry;
  const archive = { blob, size, sha256, key };
  return { kind: "update", body: { version: release.version, platform, release: toBase64url(envelope), archive } };
}

function beforeJson({ platform, devices }: UpdateGroup): readonly object[] {
  return devices.map(({ device, version }) => ({ device: device.device, name: device.name, platform, version }));
}
