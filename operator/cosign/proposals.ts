// Statements that wait at the relay for another signature. Here they are found and fetched; what they are worth is judged
// by who would sign them. Their ids are computed from what came, never taken from the relay.
import { payloadType, readEnvelope, statementId, type UnverifiedEnvelope } from "../../protocol/envelope.ts";
import { readManifest } from "../../protocol/job.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import { Fault } from "../fault.ts";

export type ProposalKind = "job" | "key-event";

export type UnverifiedProposal = {
  /** Id of its statement. */
  readonly id: string;
  readonly kind: ProposalKind;
  readonly envelope: UnverifiedEnvelope;
};

/** Times are the relay's word. */
export type ListedProposal = UnverifiedProposal & { readonly proposedAt: number; readonly expiresAt: number };

/** With what belongs to it: for a job the parts of a `submit`, its envelope first. */
export type FetchedProposal = UnverifiedProposal & { readonly parts: readonly Uint8Array[] };

/** Oldest first. Throws `relay-odd` where the relay shows a statement under another id, or one that cannot wait. */
export async function listProposals({ client }: Session): Promise<readonly ListedProposal[]> {
  const { header, parts } = await client.ask("proposals", { type: "list-proposals" });
  return header.proposals.map(({ proposal, proposedAt, expiresAt }, at) => {
    return { ...takeApart(partAt(parts, at), proposal), proposedAt, expiresAt };
  });
}

/** The one whose id, or whose job's id, begins so. Throws `proposal-unknown` or `proposal-ambiguous`. */
export async function findProposal(session: Session, typed: string): Promise<ListedProposal> {
  const listed = await listProposals(session);
  const meant = listed.filter((one) => one.id.startsWith(typed) || unverifiedJobId(one)?.startsWith(typed) === true);
  const [only, another] = meant;
  if (only === undefined) throw new Fault("proposal-unknown", typed);
  if (another !== undefined) throw new Fault("proposal-ambiguous", `${typed} begins ${meant.length} ids`);
  return only;
}

/** Throws `proposal-unknown` where it waits no more. */
export async function fetchProposal({ client }: Session, id: string): Promise<FetchedProposal> {
  const { parts } = await client.ask("proposal-record", { type: "read-proposal", proposal: id });
  return { ...takeApart(partAt(parts, 0), id), parts };
}

/** Takes it away, if it is still there. */
export async function dropProposal({ client }: Session, id: string): Promise<void> {
  try {
    await client.ask("ok", { type: "drop-proposal", proposal: id });
  } catch (error) {
    if (!(error instanceof Fault && error.code === "proposal-unknown")) throw error;
  }
}

/** What a colleague types. An id that begins with a dash would be taken for an option. */
export function cosignCommand(id: string): string {
  return `keybound cosign ${id.startsWith("-") ? "-- " : ""}${id}`;
}

/** The id of the job that a proposal says it is; nothing has been verified. */
export function unverifiedJobId({ kind, envelope }: UnverifiedProposal): string | undefined {
  if (kind !== "job") return undefined;
  try {
    return readManifest(envelope.payload).job;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function takeApart(bytes: Uint8Array, id: string): UnverifiedProposal {
  const envelope = readEnvelope(bytes);
  const own = statementId(envelope);
  if (own !== id) throw new Fault("relay-odd", `statement ${own} where ${id} was proposed`);
  return { id, kind: kindOf(envelope), envelope };
}

function kindOf({ payloadType: type }: UnverifiedEnvelope): ProposalKind {
  if (type === payloadType("job")) return "job";
  if (type === payloadType("key-event")) return "key-event";
  throw new Fault("relay-odd", `a proposal of type ${type}`);
}
