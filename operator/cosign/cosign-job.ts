// Signing a proposed job second: shown in full, signed with those who signed before, and sent as soon as enough people have.
import type { UnverifiedSignature } from "../../protocol/envelope.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { type Counted, countedSignatures } from "./counted-signatures.ts";
import { blobsField, workBlobs } from "../jobs/compose-job.ts";
import { confirmed } from "../ask.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { jobLines } from "../jobs/job-lines.ts";
import { jobSigners } from "./job-signers.ts";
import { coSign } from "../unlock/keyring.ts";
import { COSIGN_HURRY_MS } from "../limits.ts";
import { left } from "../present/span.ts";
import { dropProposal, type FetchedProposal, fetchProposal } from "./proposals.ts";
import { openProposedJob, type ProposedJob } from "./proposed-job.ts";
import { workTitle } from "../jobs/run-request.ts";
import type { Session } from "../connection/session.ts";
import { sendCheckpoint, type Unlocked } from "../unlock/unlock.ts";

export type Cosigned = {
  readonly proposed: ProposedJob;
  /** How many people have signed now, and who else could. */
  readonly signed: number;
  readonly others: readonly string[];
  readonly isSent: boolean;
};

/** Asks, unless `yes` was said. Throws the refusal or fault for which nobody should sign it. */
export async function cosignJob(unlocked: Unlocked, proposal: FetchedProposal, yes?: boolean): Promise<Cosigned> {
  const { session } = unlocked;
  const { world } = session.desk;
  const proposed = await openProposedJob(unlocked, proposal);
  await requireNew(session, proposed);
  for (const line of jobLines(proposed, session.now)) say(world, line);
  sayHurry(session, proposed);
  await confirmed(world, yes, "Sign this?");
  return await sign(unlocked, { proposed, proposal });
}

/** Neither signed by ourselves nor sent before. */
async function requireNew(session: Session, { counted, manifest }: ProposedJob): Promise<void> {
  const { client, desk, state } = session;
  const { operator } = desk.home.config;
  if (counted.operators.some((one) => one.operator === operator))
    throw new Fault("signed-already", `job ${manifest.job}`);
  const isAble = jobSigners(state, session.now).some((one) => one.operator === operator);
  if (!isAble) throw new Fault("cannot-sign", "");
  const isOurs = desk.cache.sentJobs().some(({ job }) => job === manifest.job);
  if (isOurs || (await isKnown(client, manifest.job))) throw new Fault("proposal-done", manifest.job);
}

/** Whether the relay has a job of this id. One that denies it gains nothing: devices remember what they ran. */
async function isKnown(client: Session["client"], job: string): Promise<boolean> {
  try {
    await client.ask("job-record", { type: "read-job", job });
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === "job-unknown") return false;
    throw error;
  }
}

function sayHurry({ desk, now }: Session, { manifest }: ProposedJob): void {
  const leftMs = manifest.expiresAt - now;
  if (leftMs > COSIGN_HURRY_MS) return;
  say(desk.world, `warning: it ends in ${left(leftMs)}: devices that do not get it by then do not run it`);
}

type Signing = { readonly proposed: ProposedJob; readonly proposal: FetchedProposal };

async function sign(unlocked: Unlocked, { proposed, proposal }: Signing): Promise<Cosigned> {
  const { session, keys } = unlocked;
  const { operator } = session.desk.home.config;
  const counted = await withLater(session, { proposed, proposal });
  const envelope = { ...proposal.envelope, signatures: counted.signatures };
  const parts = [await coSign("job", envelope, keys), ...proposal.parts.slice(1)];
  const signed = counted.operators.length + 1;
  const isSent = signed >= proposed.needed;
  if (isSent) await submit(unlocked, { proposed, parts });
  else await proposeAgain(session, { proposed, parts });
  const known = new Set([operator, ...counted.operators.map((one) => one.operator)]);
  const others = jobSigners(session.state, session.now).filter((one) => !known.has(one.operator));
  return { proposed, signed, others: others.map(({ name }) => name), isSent };
}

/** With what colleagues added while it was read here: a proposal takes the place of the one before it. */
async function withLater(session: Session, { proposed, proposal }: Signing): Promise<Counted> {
  const { state, now, desk } = session;
  const { envelope } = await fetchProposal(session, proposal.id);
  const signatures = new Map<string, UnverifiedSignature>();
  for (const one of [...envelope.signatures, ...proposed.counted.signatures]) signatures.set(one.key, one);
  const merged = { ...proposal.envelope, signatures: [...signatures.values()] };
  const counted = countedSignatures(merged, { state, now });
  const isOwn = counted.operators.some(({ operator }) => operator === desk.home.config.operator);
  if (isOwn) throw new Fault("signed-already", `job ${proposed.manifest.job}`);
  return counted;
}

type Sending = { readonly proposed: ProposedJob; readonly parts: readonly Uint8Array[] };

/** Noted as sent only then: where the answer is lost, the relay has it, and says so to whoever signs again. */
async function submit(unlocked: Unlocked, { proposed, parts }: Sending): Promise<void> {
  const { client, desk, now } = unlocked.session;
  const { job, batch, expiresAt, targets } = proposed.manifest;
  const header = {
    type: "submit",
    job,
    batch,
    expiresAt,
    targets,
    watch: false,
    ...blobsField(workBlobs(proposed.work)),
  };
  await orDone(client.ask("ok", header, parts), job);
  desk.cache.addSentJob({ job, batch, sent: now, label: workTitle(proposed.work), targets: targets.length });
  await dropProposal(unlocked.session, proposed.statement);
  await sendCheckpoint(unlocked);
}

/** A colleague was quicker: the job was sent with other signatures. */
async function orDone<T>(sending: Promise<T>, job: string): Promise<T> {
  try {
    return await sending;
  } catch (error) {
    if (!(error instanceof Refusal && error.code === "job-id-reused")) throw error;
    throw new Fault("proposal-done", job, { cause: error });
  }
}

async function proposeAgain({ client }: Session, { proposed, parts }: Sending): Promise<void> {
  const { statement, manifest, work } = proposed;
  const header = { type: "propose", proposal: statement, expiresAt: manifest.expiresAt };
  await client.ask("ok", { ...header, ...blobsField(workBlobs(work)) }, parts);
}
