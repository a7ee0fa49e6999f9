// `keybound cosign`: what waits for another signature, signing it, or taking it away.
import { confirmed } from "../ask.ts";
import { cosignEvent } from "../cosign/cosign-event.ts";
import { cosignJob } from "../cosign/cosign-job.ts";
import { type CommonOptions, type Desk, openDesk, print, printJson, say } from "../desk.ts";
import { waitingRow, type WaitingRow } from "../cosign/list-waiting.ts";
import { either } from "../present/either.ts";
import { plain } from "../present/escape.ts";
import { table } from "../present/table.ts";
import { ago } from "../present/time.ts";
import { shortId } from "../devices/device-name.ts";
import {
  cosignCommand,
  dropProposal,
  type FetchedProposal,
  fetchProposal,
  findProposal,
  listProposals,
  type ListedProposal,
} from "../cosign/proposals.ts";
import { openSession } from "../connection/session.ts";
import { openUnlocked, type Unlocked } from "../unlock/unlock.ts";
import { Fault } from "../fault.ts";
import type { World } from "../world.ts";

export type CosignOptions = CommonOptions & { readonly reject?: boolean };

export async function cosign(world: World, typed: string | undefined, options: CosignOptions): Promise<void> {
  if (typed === undefined && options.reject === true)
    throw new Fault("misuse", "which one? keybound cosign ID --reject");
  using desk = openDesk(world, options);
  if (typed === undefined) return await listWaiting(desk);
  if (options.reject === true) return await reject(desk, typed);
  const { id, kind } = await meant(desk, typed);
  // A key event is an act on keys or policy: what is kept unlocked does not sign it.
  const unlocked = await openUnlocked(desk, kind === "key-event" ? { ask: "always" } : {});
  using session = unlocked.session;
  const proposal = await fetchProposal(session, id);
  if (proposal.kind === "job") await signJob(unlocked, proposal);
  else await signEvent(unlocked, proposal);
}

async function listWaiting(desk: Desk): Promise<void> {
  const { world, options } = desk;
  using session = await openSession(desk);
  const rows = (await listProposals(session)).map((listed) => waitingRow(session, listed));
  if (options.json === true) return printJson(world, rows);
  if (rows.length === 0) return say(world, "nothing waits for a signature");
  const cells = rows.map((row) => cellsOf(row, world.now()));
  print(world, await table(["ID", "KIND", "SIGNED BY", "SINCE", "SIGNED", "WHAT"], cells));
}

function cellsOf({ proposal, job, kind, signers, proposedAt, needed, what }: WaitingRow, now: number): string[] {
  const by = signers.length === 0 ? "-" : signers.join(", ");
  const counts = `${signers.length} of ${needed === 0 ? "?" : needed}`;
  return [shortId(job ?? proposal), kind === "job" ? "job" : "key log", by, ago(proposedAt, now), counts, what];
}

async function meant(desk: Desk, typed: string): Promise<ListedProposal> {
  using session = await openSession(desk);
  return await findProposal(session, typed);
}

async function reject(desk: Desk, typed: string): Promise<void> {
  const { world, options } = desk;
  using session = await openSession(desk);
  const found = await findProposal(session, typed);
  const { signers, what } = waitingRow(session, found);
  say(world, `${what}, signed by ${signers.length === 0 ? "nobody who counts" : signers.join(", ")}`);
  await confirmed(world, options.yes, "Take this away for everybody?");
  await dropProposal(session, found.id);
  if (options.json === true) return printJson(world, { proposal: found.id, kind: found.kind, state: "rejected" });
  print(world, `rejected ${shortId(found.id)}`);
}

async function signJob(unlocked: Unlocked, proposal: FetchedProposal): Promise<void> {
  const { world, options } = unlocked.session.desk;
  const { proposed, signed, others, isSent } = await cosignJob(unlocked, proposal, options.yes);
  const { needed, targets, manifest } = proposed;
  const { job } = manifest;
  const state = isSent ? "sent" : "waiting";
  if (options.json === true) {
    const names = targets.map(({ name }) => name);
    return printJson(world, { proposal: proposal.id, kind: "job", state, job, signed, needed, targets: names });
  }
  print(world, job);
  if (!isSent) return say(world, missingWords({ id: job, signed, needed, others }));
  // Its output is sealed to the co-signer's key, not to this client.
  const count = `${targets.length} ${targets.length === 1 ? "device" : "devices"}`;
  say(world, `sent to ${count}; see keybound job show ${job} --unlock`);
}

async function signEvent(unlocked: Unlocked, proposal: FetchedProposal): Promise<void> {
  const { world, options } = unlocked.session.desk;
  const { signed, needed, others, place } = await cosignEvent(unlocked, proposal, options.yes);
  const { id } = proposal;
  const state = place === undefined ? "waiting" : "appended";
  const where = place === undefined ? {} : { place };
  if (options.json === true)
    return printJson(world, { proposal: id, kind: "key-event", state, signed, needed, ...where });
  if (place === undefined) return say(world, missingWords({ id, signed, needed, others }));
  print(world, `appended: entry ${place.seq} of the key log`);
}

type Missing = {
  readonly id: string;
  readonly signed: number;
  readonly needed: number;
  readonly others: readonly string[];
};

function missingWords({ id, signed, needed, others }: Missing): string {
  return `signed; ${Math.max(1, needed - signed)} more needed: ${either(others.map(plain))} must co-sign: ${cosignCommand(id)}`;
}
