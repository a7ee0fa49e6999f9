// A connection before its login: it may find a tenant, or make one with a claim code, and must then prove a key that may be here (SPEC 10.2).
import type { Frame } from "../protocol/frame.ts";
import type { KeyLogState } from "../protocol/key-state.ts";
import { refuse } from "../protocol/refusal.ts";
import { type RelayLogin, readAccessGrant, readLogin } from "../protocol/relay-login.ts";
import { FromStranger, readHeader } from "../protocol/wire.ts";
import { networkOf } from "./address.ts";
import { answering, partOf } from "./answer.ts";
import type { Connection } from "./connection.ts";
import { DeviceSession } from "./device-session.ts";
import { serveDevice } from "./from-device.ts";
import { serveNewcomer } from "./from-newcomer.ts";
import { serveOperator } from "./from-operator.ts";
import {
  FIND_TENANT_COST,
  LOGIN_TIMEOUT_MS,
  MAX_NEWCOMERS,
  MAX_NEWCOMERS_OF_ADDRESS,
  MAX_OPERATOR_SESSIONS,
  MAX_STRANGER_REQUESTS,
  NEWCOMER_SESSION_MS,
} from "./limits.ts";
import { NewcomerSession } from "./newcomer-session.ts";
import type { Hub } from "./hub.ts";
import type { Relay } from "./relay.ts";
import type { Tenant } from "./tenant.ts";
import { tenantWithPin } from "./tenant-pin.ts";
import { Trouble } from "./trouble.ts";

export type Greeting = {
  readonly connection: Connection;
  readonly loginTimeoutMs?: number | undefined;
  /** Called once the peer has proved its key. */
  readonly onLogin: () => void;
};

/** Says hello and waits for a login; a peer that does not log in in time is ended. */
export function greet(relay: Relay, { connection, loginTimeoutMs = LOGIN_TIMEOUT_MS, onLogin }: Greeting): void {
  const timer = setTimeout(() => connection.end(new Trouble("login-timeout", `${loginTimeoutMs} ms`)), loginTimeoutMs);
  connection.onClose(() => clearTimeout(timer));
  let asked = 0;
  connection.onFrame((frame) => {
    const header = readHeader(FromStranger, frame.header);
    relay.metrics.frame(header.type);
    if (header.type !== "login") {
      if (++asked > MAX_STRANGER_REQUESTS) throw new Trouble("rate-limited", `${MAX_STRANGER_REQUESTS} before a login`);
      answering(relay, connection, frame, () => answerStranger(relay, connection, { header, frame }));
      timer.refresh();
      return;
    }
    logIn(relay, connection, frame);
    clearTimeout(timer);
    onLogin();
  });
  const { challenge, channel } = connection;
  connection.send({ type: "hello", version: 1, challenge, channel: channel !== undefined, time: relay.now() });
}

type Asked = { readonly header: Exclude<FromStranger, { type: "login" }>; readonly frame: Frame };

function answerStranger(relay: Relay, connection: Connection, { header, frame }: Asked): void {
  if (header.type === "find-tenant") return findTenant(relay, connection, header);
  createTenant(relay, connection, { header, genesis: partOf(frame) });
}

function findTenant(
  { diallers, store }: Relay,
  connection: Connection,
  { rid, pin }: Extract<FromStranger, { type: "find-tenant" }>,
): void {
  diallers.charge(connection.address, FIND_TENANT_COST);
  const tenant = tenantWithPin(store.logs, pin);
  if (tenant === undefined) throw new Trouble("tenant-unknown");
  connection.send({ type: "tenant", rid, tenant });
}

function createTenant(
  { tenants, now, log }: Relay,
  connection: Connection,
  { header, genesis }: { header: Extract<FromStranger, { type: "create-tenant" }>; genesis: Uint8Array },
): void {
  const { claim, retires, rid } = header;
  const tenant = tenants.create({ code: claim, genesis, retires, now: now() });
  const retired = retires === undefined ? {} : { retired: retires };
  log.info({ tenant, ...retired, address: connection.address }, "tenant made");
  connection.send({ type: "ok", rid });
}

function logIn(relay: Relay, connection: Connection, frame: Frame): void {
  const [envelope, grant] = frame.parts;
  if (envelope === undefined) throw refuse("frame-form", "a login without its envelope");
  const { challenge, channel } = connection;
  const { login, key } = readLogin(envelope, { challenge, relays: relay.names, channel });
  const tenant = relay.tenants.get(login.tenant);
  if (login.role === "device") return logInDevice(relay, { connection, tenant, login, device: key });
  relay.tenants.checkNotReset(tenant);
  if (login.role === "newcomer") return logInNewcomer(relay, { connection, tenant, key });
  const { operatorKey, endsAt } =
    login.role === "operator"
      ? { operatorKey: activeKey(tenant.state, key), endsAt: undefined }
      : accessOf(relay, { grant, tenant, login });
  if (tenant.hub.operators.size >= MAX_OPERATOR_SESSIONS) {
    throw new Trouble("quota", `${MAX_OPERATOR_SESSIONS} clients of this tenant`);
  }
  serveOperator(relay, { connection, tenant, operatorKey, endsAt, watched: new Set(), live: new Set() });
}

type DeviceLogin = {
  readonly connection: Connection;
  readonly tenant: Tenant;
  readonly login: RelayLogin;
  readonly device: string;
};

function logInDevice(relay: Relay, { connection, tenant, login, device }: DeviceLogin): void {
  const standing = relay.store.devices.standing({ n: tenant.n, device });
  if (standing.type === "removed") throw refuse("login-unknown", `device ${device} was removed`);
  const enrolled = standing.type === "enrolled";
  serveDevice(relay, new DeviceSession(relay.store, { connection, tenant, device, sig: login.sig, enrolled }));
}

/** Any key: what a newcomer may do is to read the key log, and to ask. */
function logInNewcomer(
  relay: Relay,
  { connection, tenant, key }: { connection: Connection; tenant: Tenant; key: string },
): void {
  checkRoom(tenant.hub, { key, address: connection.address });
  const endsAt = relay.now() + NEWCOMER_SESSION_MS;
  serveNewcomer(relay, new NewcomerSession({ connection, tenant, key, endsAt }));
}

function checkRoom({ newcomers }: Hub, { key, address }: { key: string; address: string }): void {
  if (newcomers.has(key)) return;
  if (newcomers.size >= MAX_NEWCOMERS) throw new Trouble("quota", `${MAX_NEWCOMERS} newcomers of this tenant`);
  const near = [...newcomers.values()].filter(
    ({ connection }) => networkOf(connection.address) === networkOf(address),
  ).length;
  if (near < MAX_NEWCOMERS_OF_ADDRESS) return;
  throw new Trouble("quota", `${MAX_NEWCOMERS_OF_ADDRESS} newcomers of this tenant from one address`);
}

function activeKey({ operators, terms }: KeyLogState, key: string): string {
  if (operators.some((operator) => operator.key === key)) return key;
  throw refuse(terms.some((term) => term.key === key) ? "signer-revoked" : "login-unknown", `key ${key}`);
}

function accessOf(
  { now }: Relay,
  { grant, tenant, login }: { grant: Uint8Array | undefined; tenant: Tenant; login: RelayLogin },
): { operatorKey: string; endsAt: number } {
  if (grant === undefined) throw refuse("frame-form", "an access login without its grant");
  const { state } = tenant;
  const access = readAccessGrant(grant, { state, now: now() });
  if (access.sig !== login.sig) throw refuse("login-unknown", "the grant is for another key");
  const operator = state.operators.find((candidate) => candidate.operator === access.operator);
  if (operator === undefined) throw new Error("internal error: a grant by nobody");
  return { operatorKey: operator.key, endsAt: access.notAfter };
}
