// Names of devices: made from a host's name where nobody chose one, and found again when somebody types them.
import * as v from "valibot";
import { type Roster, type RosterDevice } from "../../protocol/roster.ts";
import { DeviceName } from "../../protocol/roster-event.ts";
import { Fault } from "../fault.ts";

const MAX_NAME = 63;
/** Fewer characters of an id than this could be a short name mistyped. */
const MIN_ID_PREFIX = 6;

/** A legal name that is not taken, from a host's: `Web 1.example` becomes `Web-1`, or `Web-1-2` where that is taken. */
export function freeName(host: string, taken: ReadonlySet<string>): string {
  const first = host.split(".")[0] ?? "";
  const legal = first.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  const base = legal === "" ? "device" : legal.slice(0, MAX_NAME);
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? "" : `-${number}`;
    const name = base.slice(0, MAX_NAME - suffix.length) + suffix;
    if (!taken.has(name.toLowerCase())) return name;
  }
}

/** Throws `device-name` for what a roster does not take. */
export function checkedName(name: string): string {
  if (!v.is(DeviceName, name)) throw new Fault("device-name", JSON.stringify(name));
  return name;
}

/** The device of this name (either case) or id, or of the one id that begins so. Throws `device-unknown` or `device-ambiguous`. */
export function findDevice(roster: Roster, typed: string): RosterDevice {
  const devices = [...roster.devices.values()];
  const named = devices.find(({ name }) => name.toLowerCase() === typed.toLowerCase());
  if (named !== undefined) return named;
  const begun = typed.length < MIN_ID_PREFIX ? [] : devices.filter(({ device }) => device.startsWith(typed));
  const [only, another] = begun;
  if (another !== undefined) throw new Fault("device-ambiguous", `${typed} begins ${begun.length} ids`);
  if (only === undefined) throw new Fault("device-unknown", typed, nearest(typed, devices));
  return only;
}

/** The first characters of an id: enough to tell devices apart in a table. */
export function shortId(id: string): string {
  return id.slice(0, 10);
}

function nearest(typed: string, devices: readonly RosterDevice[]): { hint: string } | Record<string, never> {
  const near = devices.find(({ name }) => differsByOne(name.toLowerCase(), typed.toLowerCase()));
  return near === undefined ? {} : { hint: `is ${near.name} meant? keybound devices shows all` };
}

/** One character more, less or other. */
function differsByOne(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (long.length - short.length > 1) return false;
  let at = 0;
  while (at < short.length && short[at] === long[at]) at++;
  return short.slice(at + (short.length === long.length ? 1 : 0)) === long.slice(at + 1);
}
