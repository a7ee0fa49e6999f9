// Everything that an admin wants to know of the organisation now, gathered without a passphrase: what is signed is verified, who is online
// and what waits is the relay's word.
import { longCode } from "../../protocol/key-approval.ts";
import type { LogPlace } from "../../protocol/fields.ts";
import type { Fork } from "../../protocol/key-state.ts";
import { pinOf } from "../../protocol/pin.ts";
import type { RefusedPackage } from "../../protocol/binding-report.ts";
import { takeCheckpoints } from "../keys/checkpoints.ts";
import { type Freshness, freshnessOf } from "../policy/freshness.ts";
import { keyHistory } from "../keys/key-history.ts";
import { knownHeads } from "../keys/known-heads.ts";
import { MISMATCH_MEMORY_MS } from "../limits.ts";
import { type ListedDevice, listDevices } from "../devices/listed-devices.ts";
import { type WaitingRow, waitingRow } from "../cosign/list-waiting.ts";
import { type OperatorRow, operatorRows } from "../keys/operator-rows.ts";
import { listProposals } from "../cosign/proposals.ts";
import type { Session } from "../connection/session.ts";
import { Standings } from "../keys/standing.ts";
import { type WaitingRequest, waitingRequests } from "../keys/waiting-requests.ts";
import { type ColleagueHeard, colleaguesHeard, type DevicesHeard, devicesHeard } from "../keys/who-heard.ts";

/** Only the beginning of its code: the whole has to come from the person. */
export type RequestRow = {
  readonly name: string;
  readonly purpose: "add" | "replace";
  /** Whose key it would replace. */
  readonly replaces?: string;
  readonly filedAt: number;
  readonly online: boolean;
  readonly code: string;
  readonly recovery: boolean;
};

/** An admin typed other digits than a request showed. */
export type MismatchRow = { readonly name: string; readonly by: string; readonly time: number };

export type RefusedRow = RefusedPackage & { readonly id: string; readonly device: string };

export type TenantStatus = {
  readonly organisation: string;
  readonly tenant: string;
  readonly pin: string;
  readonly epoch: number;
  readonly supersedes: readonly string[];
  readonly closed: boolean;
  readonly relay: string;
  readonly keyLog: LogPlace;
  /** What somebody types who is to become an operator. */
  readonly newcomer: string;
  readonly operators: readonly OperatorRow[];
  readonly requests: readonly RequestRow[];
  readonly proposals: readonly WaitingRow[];
  readonly mismatches: readonly MismatchRow[];
  readonly forks: readonly Fork[];
  readonly devices: DevicesHeard & { readonly pending: number; readonly refused: readonly RefusedRow[] };
  readonly colleagues: readonly ColleagueHeard[];
  readonly freshness: Freshness;
};

export async function tenantStatus(session: Session): Promise<TenantStatus> {
  const listed = await listDevices(session);
  await knownHeads(session, listed);
  const { newest, odd } = await takeCheckpoints(session);
  const requests = (await waitingRequests(session)).map(requestRow);
  const proposals = (await listProposals(session)).map((listedOne) => waitingRow(session, listedOne));
  const devices = await devicesHeard(session, session.state.head, { listed, standings: new Standings(session) });
  const { state, now } = session;
  const history = keyHistory(session.desk.cache.keyEntries());
  return {
    ...identity(session),
    operators: operatorRows({ state, history, now }),
    requests,
    proposals,
    mismatches: recentMismatches(session),
    forks: state.forks,
    devices: { ...devices, pending: pendingCount(session, listed), refused: refusedRows(session, listed) },
    colleagues: colleaguesHeard(session, state.head, odd),
    freshness: freshnessOf(state, { newest, now }),
  };
}

type Identity = Pick<
  TenantStatus,
  "organisation" | "tenant" | "pin" | "epoch" | "supersedes" | "closed" | "relay" | "keyLog" | "newcomer"
>;

function identity({ state, desk }: Session): Identity {
  const { tenant, name: organisation, epoch, supersedes, closed, head: keyLog } = state;
  const { relay } = desk.home.config;
  const pin = pinOf(tenant);
  const newcomer = `keybound key create --relay ${relay} --pin ${pin} --name NAME`;
  return { organisation, tenant, pin, epoch, supersedes, closed, relay, keyLog, newcomer };
}

function requestRow({ id, request, replaces, filedAt, online }: WaitingRequest): RequestRow {
  const { name, purpose, recovery } = request;
  const whose = replaces === undefined ? {} : { replaces: replaces.name };
  const code = longCode(id).slice(0, 5);
  return { name, purpose, ...whose, filedAt, online, code, recovery: recovery !== undefined };
}

function recentMismatches({ roster, state, now }: Session): readonly MismatchRow[] {
  const recent = roster.mismatches.filter(({ time }) => time > now - MISMATCH_MEMORY_MS);
  return recent.map(({ name, by, time }) => {
    const admin = state.terms.findLast(({ operator }) => operator === by);
    return { name, by: admin?.name ?? by, time };
  });
}

function pendingCount({ roster }: Session, listed: readonly ListedDevice[]): number {
  return listed.filter(({ device }) => !roster.devices.has(device)).length;
}

function refusedRows({ roster }: Session, listed: readonly ListedDevice[]): readonly RefusedRow[] {
  return listed.flatMap(({ device, report }) => {
    const member = roster.devices.get(device);
    return member === undefined || report?.refused === undefined
      ? []
      : [{ id: device, device: member.name, ...report.refused }];
  });
}
