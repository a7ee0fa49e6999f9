// `keybound update`: a version that a release key has signed, for devices that an operator's signature names.
import { toBase64url } from "../../protocol/bytes.ts";
import { DEFAULT_JOB_LIFETIME_MS } from "../../protocol/limits.ts";
import { type CommonOptions, openDesk, printJson, say } from "../desk.ts";
import { type AgentStanding, agentStandings } from "../devices/agent-standing.ts";
import { chooseTargets, requireTargets, type TargetOptions } from "../devices/choose-targets.ts";
import { goneJson, requireThere } from "../devices/gone-devices.ts";
import type { SealedFile } from "../files/seal-file.ts";
import { uploadFiles } from "../files/upload-files.ts";
import { composeFor } from "../jobs/compose-for.ts";
import type { ComposedJob, WorkFields } from "../jobs/compose-job.ts";
import { sendStep, type Sent, type WaitOptions } from "../jobs/send-and-wait.ts";
import { batchOf } from "../jobs/send-jobs.ts";
import { endingView } from "../present/ending-view.ts";
import {
  leftOutLines,
  namesOf,
  offlineLines,
  planLines,
  planUpdate,
  splitPlan,
  type UpdateGroup,
  type UpdatePlan,
} from "../release/plan-update.ts";
import { pinnedKeys } from "../release/release-keys.ts";
import { openRelease, type ReleaseFolder, sealReleased } from "../release/signed-release.ts";
import { openUnlocked, type Unlocked } from "../unlock/unlock.ts";
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
  const { there, gone, listed } = await requireThere(session, chooseTargets(session.roster, options), options);
  const plan = planUpdate(from.release, agentStandings(there, listed));
  for (const line of leftOutLines(from.release, plan)) say(world, line);
  const steps = splitPlan(plan, options.canary ?? Number.POSITIVE_INFINITY);
  const { code, json } = await inSteps(unlocked, { from, plan, steps, options });
  const leftOut = [...goneJson(gone), ...plan.without.map(withoutJson)];
  if (options.json === true)
    printJson(world, { version: from.release.version, ...json, ...(leftOut.length === 0 ? {} : { leftOut }) });
  return plan.without.length > 0 ? 1 : code;
}

type Rollout = {
  readonly from: ReleaseFolder;
  readonly plan: UpdatePlan;
  readonly steps: readonly (readonly UpdateGroup[])[];
  readonly options: UpdateOptions;
};

type Result = { readonly code: number; readonly json: object };

/** One step after the other; where a device of one has not been updated, the next is not begun. */
async function inSteps(unlocked: Unlocked, { from, plan, steps, options }: Rollout): Promise<Result> {
  const { world } = unlocked.session.desk;
  const files = await sealedFiles(world, from, plan);
  await uploadFiles(unlocked.session, [...files.values()]);
  // Of all steps, so that one cancel takes back all of them.
  const batch = toBase64url(world.random(16));
  const sent: Sent[] = [];
  for (const [at, groups] of steps.entries()) {
    const rest = steps.slice(at + 1).flatMap((later) => later.flatMap(({ devices }) => devices));
    for (const line of [...planLines(from.release, groups), ...offlineLines(groups)]) say(world, line);
    const step = await stoppingBefore(rest, world, () => sendGroups(unlocked, { from, groups, files, options, batch }));
    sent.push(step);
    if (step.code !== 0) return { code: step.code, json: jsonOf(plan, sent, rest) };
  }
  return { code: 0, json: jsonOf(plan, sent, []) };
}

/** Says whom a step that does not end well keeps from being sent anything: also where the relay was lost meanwhile. */
async function stoppingBefore(rest: readonly AgentStanding[], world: World, step: () => Promise<Sent>): Promise<Sent> {
  let isDone = false;
  try {
    const sent = await step();
    isDone = sent.code === 0;
    return sent;
  } finally {
    if (!isDone && rest.length > 0) say(world, `stopped: not every device was updated; not sent to ${namesOf(rest)}`);
  }
}

type Files = ReadonlyMap<string, SealedFile>;

/** Each platform's file once. */
async function sealedFiles(world: World, from: ReleaseFolder, { groups }: UpdatePlan): Promise<Files> {
  const sealed = new Map<string, SealedFile>();
  for (const { file } of groups) sealed.set(file.name, await sealReleased(from, file, world.random));
  return sealed;
}

type Step = Pick<Rollout, "from" | "options"> & {
  readonly groups: readonly UpdateGroup[];
  readonly files: Files;
  readonly batch: string;
};

async function sendGroups(unlocked: Unlocked, { from, groups, files, options, batch }: Step): Promise<Sent> {
  const { session } = unlocked;
  const { policy } = session.state;
  const expiresInMs = Math.min(options.expires ?? DEFAULT_JOB_LIFETIME_MS, policy.maxJobLifetimeMs);
  const composed: ComposedJob[] = [];
  for (const group of groups) {
    const targets = group.devices.map(({ device }) => device);
    const work = workOf(from, group, files);
    composed.push(...(await composeFor(unlocked, { work, targets, expiresInMs, batch })));
  }
  const title = `update to ${from.release.version}`;
  return await sendStep(unlocked, batchOf(session, composed), { title, outputBytes: 0, options, viewOf: endingView });
}

function workOf({ release, envelope }: ReleaseFolder, { platform, file }: UpdateGroup, files: Files): WorkFields {
  const sealed = files.get(file.name);
  if (sealed === undefined) throw new Error(`internal error: ${file.name} was not sealed`);
  const { blob, size, sha256, key } = sealed.entry;
  const archive = { blob, size, sha256, key };
  return { kind: "update", body: { version: release.version, platform, release: toBase64url(envelope), archive } };
}

/** All steps as one: what `run` says, how the devices stood before, and who was sent nothing. */
function jsonOf({ groups }: UpdatePlan, sent: readonly Sent[], rest: readonly AgentStanding[]): object {
  const all = sent.map(({ json }) => json);
  const [first] = all;
  const proposals = all.flatMap((json) => json.proposals ?? []);
  return {
    ...(first?.batch === undefined ? {} : { batch: first.batch }),
    jobs: all.flatMap(({ jobs }) => jobs),
    before: groups.flatMap(beforeJson),
    ...(first?.targets === undefined
      ? { devices: all.flatMap(({ devices }) => devices ?? []) }
      : { targets: first.targets }),
    ...(proposals.length === 0 ? {} : { proposals }),
    ...(rest.length === 0 ? {} : { notSent: rest.map(({ device: { device, name } }) => ({ device, name })) }),
  };
}

/** The release has nothing for it. */
function withoutJson({ device: { device, name }, platform }: AgentStanding): object {
  return { device, name, why: "no-update", ...(platform === undefined ? {} : { platform }) };
}

function beforeJson({ platform, devices }: UpdateGroup): readonly object[] {
  return devices.map(({ device, version }) => ({ device: device.device, name: device.name, platform, version }));
}
