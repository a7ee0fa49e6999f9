// After a reset: which devices of the organisations before have come over to this one, by what each of them signed.
import type { BindingReport, RefusedPackage } from "../../protocol/binding-report.ts";
import { pinOf } from "../../protocol/pin.ts";
import type { Session } from "../connection/session.ts";
import { type ListedDevice, listDevices } from "../devices/listed-devices.ts";
import { Fault } from "../fault.ts";
import { type Predecessor, readPredecessors } from "../home/predecessor.ts";

/**
 * `came-over`: in this roster; `asks`: waits for admission; `bound`: has this owner, and the relay does not list it here yet;
 * `elsewhere`: another owner; `refused`: its last word is that it refused a package of this organisation; `uninstalled`: its agent was; `waits`: none of these.
 */
export type RedeployState = "came-over" | "asks" | "bound" | "elsewhere" | "refused" | "uninstalled" | "waits";

export type RedeployRow = {
  /** Its id in the organisation before, and whose it was. */
  readonly device: string;
  readonly of: string;
  /** As the roster before called it; absent where that is not known here. */
  readonly name?: string;
  /** As it signed. */
  readonly host?: string;
  readonly state: RedeployState;
  /** Its id here, and what it is called. */
  readonly now?: { readonly device: string; readonly name?: string };
  readonly refused?: RefusedPackage;
  /** The relay's word; absent where it does not list the device. */
  readonly online?: boolean;
  readonly seenAt?: number;
};

export type Redeploy = {
  readonly total: number;
  readonly cameOver: number;
  /** Whether all of them are known by name, and not only as the relay lists them. */
  readonly named: boolean;
  /** Pins of organisations before that the relay does not show. */
  readonly unknown: readonly string[];
  readonly devices: readonly RedeployRow[];
};

type Listings = ReadonlyMap<string, ReadonlyMap<string, ListedDevice>>;
type Identity = { readonly of: string; readonly device: string };
type Old = Identity & { readonly name?: string };

/** Asks the relay for the devices of each organisation before, and follows each through those that came between. */
export async function redeployOf(session: Session): Promise<Redeploy> {
  const kept = readPredecessors(session.desk.home.folder);
  const tenants = [...new Set([...session.state.supersedes, ...kept.map(({ tenant }) => tenant)])];
  const listings = await listingsOf(session, tenants);
  const here = new Set((await listDevices(session)).map(({ device }) => device));
  const rows = new Map<string, RedeployRow>();
  // The latest first: a device that went through several counts once, by its latest name.
  for (const of of tenants.toReversed()) {
    for (const old of devicesOf(of, { kept, listings })) {
      const last = lastOf(old, listings);
      if (rows.has(last.device)) continue;
      rows.set(last.device, rowOf(old, { row: listings.get(last.of)?.get(last.device), session, here }));
    }
  }
  const devices = [...rows.values()];
  const cameOver = devices.filter(({ state }) => state === "came-over").length;
  const unknown = tenants.filter((tenant) => !listings.has(tenant)).map(pinOf);
  const named = devices.every(({ name }) => name !== undefined);
  return { total: devices.length, cameOver, named, unknown, devices };
}

/** Without the organisations that this relay does not have, or not as ones that this one took the place of. */
async function listingsOf(session: Session, tenants: readonly string[]): Promise<Listings> {
  const listings = new Map<string, ReadonlyMap<string, ListedDevice>>();
  for (const of of tenants) {
    try {
      const listed = await listDevices(session, { of });
      listings.set(of, new Map(listed.map((row) => [row.device, row])));
    } catch (error) {
      if (!(error instanceof Fault && error.code === "pin-unknown")) throw error;
    }
  }
  return listings;
}

type Known = { readonly kept: readonly Predecessor[]; readonly listings: Listings };

/** By the roster before, where this home kept it, else as the relay lists them. */
function devicesOf(of: string, { kept, listings }: Known): readonly Old[] {
  const roster = kept.find(({ tenant }) => tenant === of);
  if (roster !== undefined) return roster.devices.map(({ device, name }) => ({ of, device, name }));
  return [...(listings.get(of)?.keys() ?? [])].map((device) => ({ of, device }));
}

/** The last identity among those before. It ends: whoever is met twice is the end. */
function lastOf({ of, device }: Identity, listings: Listings): Identity {
  const met = new Set<string>();
  for (let at: Identity = { of, device }; ; ) {
    met.add(at.device);
    const moved = listings.get(at.of)?.get(at.device)?.report?.moved;
    if (moved === undefined || !listings.has(moved.tenant) || met.has(moved.device)) return at;
    at = { of: moved.tenant, device: moved.device };
  }
}

type Seen = {
  readonly row: ListedDevice | undefined;
  readonly session: Session;
  readonly here: ReadonlySet<string>;
};

function rowOf(old: Old, seen: Seen): RedeployRow {
  const { row } = seen;
  const shown = row === undefined ? {} : { host: row.request.host, online: row.online, seenAt: row.seenAt };
  return { ...old, ...shown, ...standingOf(row?.report, seen) };
}

type Standing = Pick<RedeployRow, "state" | "now" | "refused">;

function standingOf(report: BindingReport | undefined, { session: { state, roster }, here }: Seen): Standing {
  const { moved, left, refused } = report ?? {};
  const said = refused === undefined ? {} : { refused };
  if (left !== undefined) return { state: "uninstalled", ...said };
  if (moved === undefined) return { state: refused?.tenant === state.tenant ? "refused" : "waits", ...said };
  const { device } = moved;
  if (moved.tenant !== state.tenant) return { state: "elsewhere", ...said };
  const member = roster.devices.get(device);
  if (member !== undefined) return { state: "came-over", now: { device, name: member.name } };
  return { state: here.has(device) ? "asks" : "bound", now: { device } };
}
