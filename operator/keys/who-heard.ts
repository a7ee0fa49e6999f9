// Who knows a place of the key log: devices by what they signed, colleagues by their checkpoints.
import type { LogPlace } from "../../protocol/fields.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Session } from "../connection/session.ts";
import type { ListedDevice } from "../devices/listed-devices.ts";
import type { KnownHead } from "../home/cache.ts";
import { activeVouches } from "./checkpoints.ts";
import type { OddPlace, Standings } from "./standing.ts";

export type DeviceBehind = {
  readonly id: string;
  readonly name: string;
  /** The relay's word; absent where it does not list the device. */
  readonly online?: boolean;
  readonly seenAt?: number;
  /** The latest place that it signed for. */
  readonly keyLog?: number;
};

/** A device that signed for a place which the log here does not have. */
export type DeviceOdd = OddPlace & { readonly id: string; readonly name: string };

export type DevicesHeard = {
  readonly total: number;
  readonly known: number;
  readonly notYet: readonly DeviceBehind[];
  readonly odd: readonly DeviceOdd[];
};

export type ColleagueHeard = {
  readonly operator: string;
  readonly name: string;
  readonly knows: boolean;
  /** The latest place that they vouched for, and when. */
  readonly keyLog?: number;
  readonly vouchedAt?: number;
  readonly odd?: OddPlace;
};

/** What a command shows after a key event. Plain data, printed with `--json`. */
export type Heard = {
  readonly place: LogPlace;
  readonly devices: DevicesHeard;
  readonly colleagues: readonly ColleagueHeard[];
};

type Seen = { readonly listed: readonly ListedDevice[]; readonly standings: Standings };

/** Every device of the roster, by the latest place that this home has ever seen it sign for. */
export async function devicesHeard(
  session: Session,
  place: LogPlace,
  { listed, standings }: Seen,
): Promise<DevicesHeard> {
  const rows = new Map(listed.map((row) => [row.device, row]));
  const notYet: DeviceBehind[] = [];
  const odd: DeviceOdd[] = [];
  for (const member of byName(session.roster.devices.values())) {
    const head = session.desk.cache.knownHead(member.device);
    const stands = head === undefined ? "known" : await standings.of(head);
    if (head !== undefined && stands !== "known") odd.push(oddDevice(member, { stands, place: placeOf(head) }));
    else if (head === undefined || head.seq < place.seq) notYet.push(behind(member, head, rows.get(member.device)));
  }
  const total = session.roster.devices.size;
  return { total, known: total - notYet.length - odd.length, notYet, odd };
}

/** Everybody else who may vouch, and how far they have. */
export function colleaguesHeard(
  session: Session,
  place: LogPlace,
  odd: ReadonlyMap<string, OddPlace>,
): readonly ColleagueHeard[] {
  const vouches = activeVouches(session);
  const own = session.desk.home.config.operator;
  const others = session.state.operators.filter(({ operator, role }) => operator !== own && role !== "auditor");
  return others.map(({ operator, name }) => {
    const vouch = vouches.get(operator);
    const strange = odd.get(operator);
    return {
      operator,
      name,
      knows: strange === undefined && vouch !== undefined && vouch.keyHead.seq >= place.seq,
      ...(vouch === undefined ? {} : { keyLog: vouch.keyHead.seq, vouchedAt: vouch.time }),
      ...(strange === undefined ? {} : { odd: strange }),
    };
  });
}

function byName(devices: Iterable<RosterDevice>): readonly RosterDevice[] {
  return [...devices].toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

function oddDevice({ device, name }: RosterDevice, odd: OddPlace): DeviceOdd {
  return { id: device, name, ...odd };
}

function placeOf({ seq, id }: KnownHead): LogPlace {
  return { seq, id };
}

function behind(
  { device, name }: RosterDevice,
  head: KnownHead | undefined,
  row: ListedDevice | undefined,
): DeviceBehind {
  return {
    id: device,
    name,
    ...(row === undefined ? {} : { online: row.online, seenAt: row.seenAt }),
    ...(head === undefined ? {} : { keyLog: head.seq }),
  };
}
