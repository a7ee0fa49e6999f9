// A connection before its login: it may make a tenant with a claim code, and must then prove a key that may be here (SPEC 10.2).
import type { Frame } from "../protocol/frame.ts";
import type { KeyLogState } from "../protocol/key-state.ts";
import { refuse } from "../protocol/refusal.ts";
import { type RelayLogin, readAccessGrant, readLogin } from "../protocol/relay-login.ts";
import { FromStranger, readHeader } from "../protocol/wire.ts";
import { answering, partOf } from "./answer.ts";
import type { Connection } from "./connection.ts";
import { DeviceSession } from "./device-session.ts";
import { serveDevice } from "./from-device.ts";
import { serveOperator } from "./from-operator.ts";
import { LOGIN_TIMEOUT_MS, MAX_OPERATOR_SESSIONS } from "./limits.ts";
import type { Relay } from "./relay.ts";
import type { Tenant } from "./tenant.ts";
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
  connection.onFrame((frame) => {
    const header = readHeader(FromStranger, frame.header);
    relay.metrics.frame(header.type);
    if (header.type === "create-tenant") {
      answering(relay, connection, frame, () => createTenant(relay, { connection, header, genesis: partOf(frame) }));
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

function createTenant(
  { tenants, now, log }: Relay,
  request: { connection: Connection; header: Extract<FromStranger, { type: "create-tenant" }>; genesis: Uint8Array },
): void {
  const { connection, header, genesis } = request;
  const tenant = tenants.create({ code: header.claim, genesis, now: now() });
  log.info({ tenant, address: connection.address }, "tenant made");
  connection.send({ type: "ok", rid: header.rid });
}

function logIn(relay: Relay, connection: Connection, frame: Frame): void {
  const [envelope, grant] = frame.parts;
  if (envelope === undefined) throw refuse("frame-form", "a login without its envelope");
  const { challenge, channel } = connection;
  const { login, key } = readLogin(envelope, { challenge, relays: relay.names, channel });
  const tenant = relay.tenants.get(login.tenant);
  if (login.role === "device") return logInDevice(relay, { connection, tenant, login, device: key });
  const { operatorKey, endsAt } =
    login.role === "operator"
      ? { operatorKey: activeKey(tenant.state, key), endsAt: undefined }
      : accessOf(relay, { grant, tenant, login });
  if (tenant.hub.operators.size >= MAX_OPERATOR_SESSIONS) {
    throw new Trouble("quota", `${MAX_OPERATOR_SESSIONS} clients of this tenant`);
  }
  serveOperator(relay, { connection, tenant, operatorKey, endsAt, watched: new Set() });
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
