// Sending composed jobs: where one signature is enough they are submitted, the others wait at the relay for a colleague's.
import type { Session } from "../connection/session.ts";
import { jobSigners } from "../cosign/job-signers.ts";
import { cosignCommand } from "../cosign/proposals.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { either } from "../present/either.ts";
import { plain } from "../present/escape.ts";
import { foldNames } from "../present/fold.ts";
import { sendCheckpoint, type Unlocked } from "../unlock/unlock.ts";
import { blobsField, type ComposedJob } from "./compose-job.ts";

export type Batch = {
  /** Jobs that one signature is enough for. */
  readonly ready: readonly ComposedJob[];
  readonly proposed: readonly ComposedJob[];
};

/** Throws `signers-missing` where so many people as a device asks for could never sign. */
export function batchOf({ state, now }: Session, jobs: readonly ComposedJob[]): Batch {
  const able = jobSigners(state, now).length;
  const short = jobs.find(({ needed }) => needed > 1 && needed > able);
  if (short !== undefined) {
    const names = foldNames(short.targets.map(({ name }) => name));
    throw new Fault("signers-missing", `${names}: ${short.needed} must sign, ${able} can`);
  }
  return { ready: jobs.filter(({ needed }) => needed === 1), proposed: jobs.filter(({ needed }) => needed > 1) };
}

/** `quiet`: watched without live output. */
export async function submitJobs(
  unlocked: Unlocked,
  jobs: readonly ComposedJob[],
  { watch, title }: { readonly watch: boolean | "quiet"; readonly title: string },
): Promise<void> {
  const { client, desk } = unlocked.session;
  for (const { manifest, parts, blobs } of jobs) {
    const { job, batch, expiresAt, targets } = manifest;
    desk.cache.addSentJob({ job, batch, sent: manifest.issuedAt, label: title, targets: targets.length });
    const header = { type: "submit", job, batch, expiresAt, targets, watch: watch !== false, ...blobsField(blobs) };
    await client.ask("ok", watch === "quiet" ? { ...header, quiet: true } : header, parts);
  }
  await sendCheckpoint(unlocked);
}

/** Leaves jobs for colleagues, and says whose signature is missing. */
export async function proposeJobs(unlocked: Unlocked, jobs: readonly ComposedJob[], title: string): Promise<void> {
  const { session } = unlocked;
  const { client, desk } = session;
  for (const composed of jobs) {
    const { manifest, statement, parts, blobs } = composed;
    const { job, batch, expiresAt, targets, issuedAt } = manifest;
    desk.cache.addSentJob({ job, batch, sent: issuedAt, label: title, targets: targets.length });
    await client.ask("ok", { type: "propose", proposal: statement, expiresAt, ...blobsField(blobs) }, parts);
    say(desk.world, missingWords(session, composed));
  }
  if (jobs.length > 0) await sendCheckpoint(unlocked);
}

/** `db1 asks for 2 signatures: Grace or Bob must co-sign: keybound cosign J5Ew9EBQxx33v2u7ba571Q`. */
export function missingWords({ state, now, desk }: Session, { targets, needed, manifest }: ComposedJob): string {
  const { operator } = desk.home.config;
  const others = jobSigners(state, now).filter((one) => one.operator !== operator);
  const names = foldNames(targets.map(({ name }) => name));
  const who =
    needed > 2
      ? `${needed - 1} of ${others.map(({ name }) => plain(name)).join(", ")}`
      : either(others.map(({ name }) => plain(name)));
  return `${names} ${targets.length === 1 ? "asks" : "ask"} for ${needed} signatures: ${who} must co-sign: ${cosignCommand(manifest.job)}`;
}
