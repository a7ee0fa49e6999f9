// Statements that wait for a second signature: operators' clients leave them here for one another. The relay checks no signature
// of theirs; whoever signs second verifies what was signed first.
import { payloadType, readEnvelope, statementId } from "../protocol/envelope.ts";
import { MAX_FRAME_BYTES, MAX_HEADER_BYTES } from "../protocol/limits.ts";
import { refuse } from "../protocol/refusal.ts";
import type { FromOperator } from "../protocol/wire.ts";
import { MAX_PROPOSAL_LIFETIME_MS } from "./limits.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { checkQuota } from "./results.ts";
import { checkBlobs } from "./submit.ts";
import { pageOf } from "./store-logs.ts";
import { Trouble } from "./trouble.ts";

type From<T extends FromOperator["type"]> = Extract<FromOperator, { type: T }>;
type Proposal = { readonly header: From<"propose">; readonly parts: readonly Uint8Array[] };

const KINDS: readonly string[] = [payloadType("job"), payloadType("key-event")];

/**
 * Keeps a proposal; one of the same statement takes the earlier one's place where it has at least as many signatures.
 * Throws `signers-few` where it has fewer, `quota`, or a refusal of its form.
 */
export function propose(relay: Relay, { connection, tenant }: OperatorSession, { header, parts }: Proposal): void {
  const { proposal: id, expiresAt, rid } = header;
  const now = relay.now();
  const signatures = signaturesOf({ header, parts });
  checkBlobs(header.blobs);
  if (tenant.state.closed) throw refuse("tenant-closed", "nothing is carried out any more");
  if (expiresAt <= now) throw refuse("frame-form", `a proposal that ended at ${expiresAt}`);
  const before = relay.store.proposals.signatures({ n: tenant.n, id }, now) ?? 0;
  if (signatures < before) throw refuse("signers-few", `${signatures} signatures where ${before} stand`);
  checkQuota(
    relay,
    tenant,
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  const until = Math.min(expiresAt, now + MAX_PROPOSAL_LIFETIME_MS);
  relay.store.proposals.save({ n: tenant.n, id, signatures, now, expiresAt: until, parts, blobs: header.blobs ?? [] });
  connection.send({ type: "ok", rid });
  tenant.hub.announceWaiting();
}

/** How many signatures the envelope has, which must be that of the statement that the header names. */
function signaturesOf({ header: { proposal }, parts }: Proposal): number {
  const [first] = parts;
  if (first === undefined) throw refuse("frame-form", "a proposal without its envelope");
  const envelope = readEnvelope(first);
  if (!KINDS.includes(envelope.payloadType)) throw refuse("envelope-type", envelope.payloadType);
  if (statementId(envelope) !== proposal) throw refuse("frame-form", `the envelope is not of statement ${proposal}`);
  return envelope.signatures.length;
}

/** What fits a frame beside its header. */
const LIST_BYTES = MAX_FRAME_BYTES - 2 * MAX_HEADER_BYTES;

/** Oldest first, and no more than fit one frame: far more than people look through. */
export function answerProposals(
  { store, now }: Relay,
  { connection, tenant }: OperatorSession,
  { rid }: From<"list-proposals">,
): void {
  const listed = store.proposals.list(tenant.n, now());
  const { entries } = pageOf(
    listed.map(({ envelope }) => envelope),
    { maxBytes: LIST_BYTES },
  );
  const proposals = listed.slice(0, entries.length).map(({ envelope: _part, ...fields }) => fields);
  connection.send({ type: "proposals", rid, proposals }, entries);
}

/** The parts as they were proposed. Throws `proposal-unknown`. */
export function answerProposal(
  { store, now }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, proposal }: From<"read-proposal">,
): void {
  const parts = store.proposals.parts({ n: tenant.n, id: proposal }, now());
  if (parts.length === 0) throw new Trouble("proposal-unknown", proposal);
  connection.send({ type: "proposal-record", rid }, parts);
}

export function dropProposal(
  { store }: Relay,
  { connection, tenant }: OperatorSession,
  { rid, proposal }: From<"drop-proposal">,
): void {
  if (!store.proposals.dropNow({ n: tenant.n, id: proposal })) throw new Trouble("proposal-unknown", proposal);
  connection.send({ type: "ok", rid });
  tenant.hub.announceWaiting();
}
