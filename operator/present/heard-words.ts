// Who has heard of an entry of the key log, in a line or two.
import { goneWords } from "../devices/gone-devices.ts";
import type { OddPlace } from "../keys/standing.ts";
import type { ColleagueHeard, DeviceBehind, DevicesHeard, Heard } from "../keys/who-heard.ts";
import { MAX_NAMED_GROUPS } from "../limits.ts";
import { every } from "./either.ts";
import { plain } from "./escape.ts";
import { foldNames } from "./fold.ts";
import { ago, day } from "./time.ts";

export function heardLines({ place, devices, colleagues }: Heard, now: number): readonly string[] {
  return [
    ...devices.odd.map((device) => oddWords(device.name, device)),
    ...colleagues.flatMap(({ name, odd }) => (odd === undefined ? [] : [oddWords(plain(name), odd)])),
    ...deviceLines(place.seq, devices, now),
    ...colleagueLines(colleagues),
  ];
}

/** `entry 4 is known to 3 of 5 devices; not yet: web2 (offline, seen 3 h ago), db1 (online)`. */
export function deviceLines(seq: number, { total, known, notYet, gone }: DevicesHeard, now: number): readonly string[] {
  const named = gone.map((one) => ({ ...one, device: one }));
  const without = gone.length === 0 ? [] : [`not waited for: ${goneWords(named)}`];
  if (total === 0) return without;
  const counted = known === total ? allWords(total) : `${known} of ${total} device${total === 1 ? "" : "s"}`;
  const missing = notYet.length === 0 ? "" : `; not yet: ${behindWords(notYet, now)}`;
  return [`entry ${seq} is known to ${counted}${missing}`, ...without];
}

function namesOf(devices: readonly { readonly name: string }[]): string {
  return foldNames(devices.map(({ name }) => name));
}

function allWords(total: number): string {
  return total === 1 ? "the only device" : `all ${total} devices`;
}

/** Devices that the relay says the same of stand together: `web[2-4] (offline, seen 3 h ago), db1 (online)`. */
export function behindWords(devices: readonly DeviceBehind[], now: number): string {
  const groups = Map.groupBy(devices, (device) => presenceWords(device, now));
  const named = [...groups].slice(0, MAX_NAMED_GROUPS);
  const words = named.map(([presence, these]) => `${namesOf(these)} (${presence})`);
  const rest = devices.length - named.reduce((count, [, these]) => count + these.length, 0);
  return [...words, ...(rest === 0 ? [] : [`and ${rest} more`])].join(", ");
}

function presenceWords({ online, seenAt }: DeviceBehind, now: number): string {
  if (online === true) return "online";
  return seenAt === undefined ? "unknown to the relay" : `offline, seen ${ago(seenAt, now)}`;
}

/** `colleagues: Grace knows it; Bob has not been here since 2026-11-20`. */
function colleagueLines(colleagues: readonly ColleagueHeard[]): readonly string[] {
  const even = colleagues.filter(({ odd }) => odd === undefined);
  if (even.length === 0) return [];
  const knowing = even.filter(({ knows }) => knows).map(({ name }) => plain(name));
  const know = knowing.length === 0 ? [] : [`${every(knowing)} know${knowing.length === 1 ? "s" : ""} it`];
  const rest = even.filter(({ knows }) => !knows).map(absenceWords);
  return [`colleagues: ${[...know, ...rest].join("; ")}`];
}

export function absenceWords({ name, vouchedAt }: ColleagueHeard): string {
  return vouchedAt === undefined
    ? `${plain(name)} has not been here yet`
    : `${plain(name)} has not been here since ${day(vouchedAt)}`;
}

export function oddWords(who: string, { stands, place }: OddPlace): string {
  return stands === "beside"
    ? `ANOTHER KEY LOG: ${who} has signed for entry ${place.seq} ${place.id}, and here another entry stands there`
    : `ENTRIES ARE WITHHELD: ${who} has signed for entry ${place.seq} of the key log, which the relay does not show here`;
}
