// What waits for another signature, as a list shows it: each verified as far as its envelope goes.
import { Refusal } from "../../protocol/refusal.ts";
import type { Session } from "../connection/session.ts";
import { Fault } from "../fault.ts";
import { keyEventLines } from "../keys/key-event-words.ts";
import { plain } from "../present/escape.ts";
import { foldNames } from "../present/fold.ts";
import { type ListedProposal, type ProposalKind, unverifiedJobId } from "./proposals.ts";
import { readProposedEvent } from "./proposed-event.ts";
import { readProposedManifest } from "./proposed-job.ts";

export type WaitingRow = {
  readonly proposal: string;
  readonly kind: ProposalKind;
  readonly job?: string;
  /** The relay's word. */
  readonly proposedAt: number;
  readonly expiresAt: number;
  /** People whose signatures count. */
  readonly signers: readonly string[];
  readonly needed: number;
  readonly what: string;
  /** The code for which nobody can sign it. */
  readonly refused?: string;
};

export function waitingRow(session: Session, listed: ListedProposal): WaitingRow {
  const { id: proposal, kind, proposedAt, expiresAt } = listed;
  const job = unverifiedJobId(listed);
  const common = { proposal, kind, ...(job === undefined ? {} : { job }), proposedAt, expiresAt };
  try {
    return { ...common, ...(kind === "job" ? jobRow(session, listed) : eventRow(session, listed)) };
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof Fault)) throw error;
    const { code, sentence } = error;
    return { ...common, signers: [], needed: 0, what: `CANNOT BE SIGNED: ${sentence}`, refused: code };
  }
}

type RowWords = Pick<WaitingRow, "signers" | "needed" | "what">;

function jobRow(session: Session, listed: ListedProposal): RowWords {
  const { targets, counted, needed } = readProposedManifest(session, listed);
  const signers = counted.operators.map(({ name }) => plain(name));
  return { signers, needed, what: `a job for ${foldNames(targets.map(({ name }) => name))}` };
}

function eventRow(session: Session, listed: ListedProposal): RowWords {
  const { event, signers, needed } = readProposedEvent(session.state, listed);
  const [what = event.type] = keyEventLines(event, session);
  return { signers: signers.map(({ name }) => plain(name)), needed, what };
}
