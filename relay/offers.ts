// An admin's client and a newcomer who are both here find each other: the approval one way, the revealed nonce the other (SPEC 4.9).
// The relay stores neither, and what it does to them the two people see in the six digits.
import { readApproval } from "../protocol/key-approval.ts";
import { refuse } from "../protocol/refusal.ts";
import type { FromNewcomer, FromOperator } from "../protocol/wire.ts";
import { MAX_APPROVAL_ENVELOPE_BYTES } from "./limits.ts";
import type { NewcomerSession } from "./newcomer-session.ts";
import { checkAdmin, type OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { Trouble } from "./trouble.ts";

type Offer = {
  readonly header: Extract<FromOperator, { type: "offer-approval" }>;
  readonly bytes: Uint8Array;
};

/** Passes an approval by this client's own admin on. Throws `request-unknown` or `newcomer-away`, or a refusal of the approval. */
export function offerApproval({ store, now }: Relay, session: OperatorSession, { header, bytes }: Offer): void {
  checkAdmin(session);
  const { connection, tenant } = session;
  const approvalSession = checkApproval(session, { header, bytes });
  const request = store.requests.find({ n: tenant.n, id: header.request }, now());
  if (request?.isOpen !== true) throw new Trouble("request-unknown", header.request);
  const newcomer = tenant.hub.newcomers.get(request.key);
  if (newcomer === undefined) throw new Trouble("newcomer-away");
  newcomer.offer(approvalSession, session);
  newcomer.connection.send({ type: "approval-news" }, [bytes]);
  connection.send({ type: "ok", rid: header.rid });
}

/** The session of an approval that fits its header. */
function checkApproval({ tenant, operatorKey }: OperatorSession, { header, bytes }: Offer): string {
  if (bytes.length > MAX_APPROVAL_ENVELOPE_BYTES) {
    throw refuse("envelope-size", `${bytes.length} bytes, at most ${MAX_APPROVAL_ENVELOPE_BYTES}`);
  }
  const { approval, approver } = readApproval(bytes, tenant.view);
  if (approver.key !== operatorKey)
    throw refuse("signer-unknown", `signed by ${approver.key}, not by this client's own`);
  if (approval.request !== header.request) throw refuse("frame-form", `the approval is of request ${approval.request}`);
  return approval.session;
}

/** Passes a nonce to the client that offered the approval of this session to this newcomer, and to nobody else. */
export function reveal(
  newcomer: NewcomerSession,
  { rid, session, nonce }: Extract<FromNewcomer, { type: "reveal" }>,
): void {
  const admin = newcomer.offeredBy(session);
  if (admin === undefined) throw new Trouble("session-unknown");
  admin.connection.send({ type: "reveal-news", session, nonce });
  newcomer.connection.send({ type: "ok", rid });
}
