// Signing a proposed entry of the key log second: what it does is said in words, and it is appended once the log would take it.
import type { LogPlace } from "../../protocol/fields.ts";
import { followUp } from "../keys/anchor.ts";
import { appendSigned } from "../keys/append-key.ts";
import { confirmed } from "../ask.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { keyDeskOf } from "../keys/key-act.ts";
import { keyEventLines } from "../keys/key-event-words.ts";
import { coSign } from "../unlock/keyring.ts";
import { every } from "../present/either.ts";
import { plain } from "../present/escape.ts";
import { date } from "../present/time.ts";
import { dropProposal, type FetchedProposal, fetchProposal } from "./proposals.ts";
import { type ProposedEvent, readProposedEvent } from "./proposed-event.ts";
import type { Session } from "../connection/session.ts";
import type { Unlocked } from "../unlock/unlock.ts";
import { refuse, Refusal } from "../../protocol/refusal.ts";

export type CosignedEvent = {
  readonly needed: number;
  /** How many have signed now, and who else could. */
  readonly signed: number;
  readonly others: readonly string[];
  /** Where it stands in the log; absent while it waits. */
  readonly place?: LogPlace;
};

/**
 * Asks, unless `yes` was said. Throws the refusal or fault for which nobody should sign it; one that has no place in the log
 * any more (`proposal-stale`) is taken away.
 */
export async function cosignEvent(
  unlocked: Unlocked,
  proposal: FetchedProposal,
  yes?: boolean,
): Promise<CosignedEvent> {
  const { session } = unlocked;
  const proposed = await readOrDrop(session, proposal);
  requireOwnRight(session, proposed);
  sayEvent(session, proposed);
  await confirmed(session.desk.world, yes, "Sign this?");
  return await sign(unlocked, await withLater(session, { proposed, proposal }));
}

async function readOrDrop(session: Session, proposal: FetchedProposal): Promise<ProposedEvent> {
  try {
    return readProposedEvent(session.state, proposal);
  } catch (error) {
    if (error instanceof Fault && error.code === "proposal-stale") await dropProposal(session, proposal.id);
    throw error;
  }
}

/** Only those who count are asked; each counts once. */
function requireOwnRight({ desk }: Session, { event, eligible, signers }: ProposedEvent): void {
  const { operator } = desk.home.config;
  if (signers.some((one) => one.operator === operator)) throw new Fault("signed-already", event.type);
  if (eligible.some((one) => one.operator === operator)) return;
  throw refuse("signer-role", `${event.type} is for admins whom it is not about`);
}

function sayEvent(session: Session, { event, signers, needed }: ProposedEvent): void {
  const { world } = session.desk;
  const by = every(signers.map(({ name }) => plain(name)));
  say(world, `entry ${event.seq} of the key log, made on ${date(event.time)}`);
  say(world, `signed by ${by}; ${needed} must sign`);
  for (const line of keyEventLines(event, session)) say(world, `  ${line}`);
}

/** With what colleagues added while it was read here. */
async function withLater(
  session: Session,
  { proposed, proposal }: { readonly proposed: ProposedEvent; readonly proposal: FetchedProposal },
): Promise<ProposedEvent> {
  const later = readProposedEvent(session.state, await fetchProposal(session, proposal.id));
  const signatures = new Map(
    [...later.envelope.signatures, ...proposed.envelope.signatures].map((one) => [one.key, one]),
  );
  const envelope = { ...proposed.envelope, signatures: [...signatures.values()] };
  const merged = readProposedEvent(session.state, { ...proposal, envelope });
  requireOwnRight(session, merged);
  return merged;
}

async function sign(
  unlocked: Unlocked,
  { envelope, signers, eligible, needed }: ProposedEvent,
): Promise<CosignedEvent> {
  const { session, keys } = unlocked;
  const { desk } = session;
  const bytes = await coSign("key-event", envelope, keys);
  const appended = await orStale(appendSigned(keyDeskOf(session), bytes));
  const known = new Set([desk.home.config.operator, ...signers.map(({ operator }) => operator)]);
  const others = eligible.filter(({ operator }) => !known.has(operator)).map(({ name }) => name);
  const counts = { needed, signed: signers.length + 1, others };
  if (appended.type === "proposed") return counts;
  await followUp(unlocked);
  return { ...counts, place: appended.place };
}

/** Somebody was quicker: the entry has no place any more. */
async function orStale<T>(appending: Promise<T>): Promise<T> {
  try {
    return await appending;
  } catch (error) {
    if (!(error instanceof Refusal && error.code === "log-fork")) throw error;
    throw new Fault("proposal-stale", "", { cause: error });
  }
}
