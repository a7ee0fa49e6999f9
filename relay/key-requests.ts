// Requests for keys: filed and withdrawn by newcomers, looked through and rejected by operators. Approving one is an entry of the log.
import { admitKey } from "../protocol/key-admission.ts";
import { type KeyRequest, readKeyRequest } from "../protocol/key-request.ts";
import { fingerprint } from "../protocol/key-state.ts";
import { refuse } from "../protocol/refusal.ts";
import type { FromNewcomer, FromOperator } from "../protocol/wire.ts";
import { REQUEST_COST } from "./limits.ts";
import type { NewcomerSession } from "./newcomer-session.ts";
import { checkAdmin, type OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { Trouble } from "./trouble.ts";

/**
 * Keeps a request and tells operators that it waits. The same one again changes nothing. Throws `request-rejected`, `quota`,
 * `rate-limited`, or a refusal of the request.
 */
export function fileRequest(
  relay: Relay,
  session: NewcomerSession,
  { rid, bytes }: { readonly rid: number; readonly bytes: Uint8Array },
): void {
  const { connection, tenant, key } = session;
  relay.diallers.charge(connection.address, REQUEST_COST);
  const { request, id } = readKeyRequest(bytes, admitKey);
  checkRequest(session, request);
  const stored = relay.store.requests.find({ n: tenant.n, id }, relay.now());
  if (stored?.isOpen === false) throw new Trouble("request-rejected", id);
  if (stored === undefined) {
    const { operator } = request;
    const filed = { n: tenant.n, id, key, operator, bytes, now: relay.now() };
    for (const replaced of relay.store.requests.file(filed)) tenant.hub.closeRequest(replaced, "expired");
    session.forgetOffers();
    relay.log.info({ tenant: tenant.id, request: id }, "key request filed");
  }
  connection.send({ type: "ok", rid });
  tenant.hub.announceWaiting();
}

function checkRequest({ tenant: { id, state }, key }: NewcomerSession, { tenant, sig }: KeyRequest): void {
  if (tenant !== id) throw refuse("tenant-other", `tenant ${tenant}`);
  if (fingerprint(sig) !== key) throw refuse("signer-unknown", `the request is for key ${fingerprint(sig)}`);
  if (state.seen.includes(key)) throw refuse("log-key-reused", `key ${key}`);
  if (state.closed) throw refuse("tenant-closed", "nobody can approve a key any more");
}

/** Takes the key's own request back. Throws `request-unknown`. */
export function withdrawRequest(
  { store }: Relay,
  session: NewcomerSession,
  { rid }: Extract<FromNewcomer, { type: "withdraw-request" }>,
): void {
  const { connection, tenant, key } = session;
  if (!store.requests.withdraw({ n: tenant.n, key })) throw new Trouble("request-unknown");
  session.forgetOffers();
  connection.send({ type: "ok", rid });
  tenant.hub.announceWaiting();
}

/** All open requests, oldest first. */
export function answerRequests(
  { store, now }: Relay,
  { connection, tenant }: OperatorSession,
  { rid }: Extract<FromOperator, { type: "list-requests" }>,
): void {
  const open = store.requests.open(tenant.n, now());
  const requests = open.map(({ id, key, filedAt }) => ({
    request: id,
    filedAt,
    online: tenant.hub.newcomers.has(key),
  }));
  connection.send(
    { type: "requests", rid, requests },
    open.map(({ bytes }) => bytes),
  );
}

/** Only for an admin's client. A request that was rejected before is rejected again. Throws `request-unknown`. */
export function rejectRequest(
  { store, now, log }: Relay,
  session: OperatorSession,
  { rid, request }: Extract<FromOperator, { type: "reject-request" }>,
): void {
  checkAdmin(session);
  const { connection, tenant } = session;
  const stored = store.requests.find({ n: tenant.n, id: request }, now());
  if (stored === undefined) throw new Trouble("request-unknown", request);
  if (stored.isOpen) store.requests.reject({ n: tenant.n, id: request });
  connection.send({ type: "ok", rid });
  if (!stored.isOpen) return;
  log.info({ tenant: tenant.id, request }, "key request rejected");
  tenant.hub.closeRequest(stored, "rejected");
  tenant.hub.announceWaiting();
}
