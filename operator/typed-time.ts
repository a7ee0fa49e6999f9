// Times and windows as typed on a command line, in the zone of whoever types unless they say another.
import * as v from "valibot";
import { DAYS, type Day, Window } from "../protocol/window.ts";

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d)?$/;
const TIME_OF_DAY = /^([01]\d|2[0-3]):([0-5]\d)$/;
const AFTER = /^\+(\d{1,6})(s|m|h|d)$/;
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `2026-12-01T22:00`, local or with `Z` or an offset; `22:00`, the next; `+2h`. Else `undefined`. */
export function parseTime(typed: string, now: number): number | undefined {
  const [, amount, unit = ""] = AFTER.exec(typed) ?? [];
  if (amount !== undefined) return now + Number(amount) * (UNITS[unit] ?? 0);
  const [, hours, minutes] = TIME_OF_DAY.exec(typed) ?? [];
  if (hours !== undefined) return nextAt(now, Number(hours), Number(minutes));
  return dateTime(typed);
}

function nextAt(now: number, hours: number, minutes: number): number {
  const today = new Date(now).setHours(hours, minutes, 0, 0);
  if (today > now) return today;
  const date = new Date(now);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1, hours, minutes).getTime();
}

/** A day that the month does not have is no time, though `Date` would count on into the next. */
function dateTime(typed: string): number | undefined {
  const [, year, month, day, hours, minutes, seconds = "00", zone = ""] = DATE_TIME.exec(typed) ?? [];
  const dayOnly = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(dayOnly) || new Date(dayOnly).getUTCDate() !== Number(day)) return undefined;
  const time = Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}${zone}`);
  return Number.isNaN(time) ? undefined : time;
}

/** `mon-fri 22:00-04:00`, `sat,sun 00:00-24:00`, or the hours alone for every day. Else `undefined`. */
export function parseWindow(typed: string): Window | undefined {
  const [, days = "mon-sun", from, to] = /^(?:([a-z,-]+) +)?(\d\d:\d\d)-(\d\d:\d\d)$/.exec(typed.trim()) ?? [];
  const named = days.split(",").map(daysIn);
  if (named.some((part) => part.length === 0)) return undefined;
  const chosen = new Set(named.flat());
  const window = { days: DAYS.filter((day) => chosen.has(day)), from, to };
  return v.is(Window, window) ? window : undefined;
}

/** `mon-fri`, `fri-mon` over the week's end, or one day; none where it is neither. */
function daysIn(part: string): readonly Day[] {
  const [first = "", last = first, surplus] = part.split("-");
  const [from, to] = [DAYS.findIndex((day) => day === first), DAYS.findIndex((day) => day === last)];
  if (from < 0 || to < 0 || surplus !== undefined) return [];
  return from <= to ? DAYS.slice(from, to + 1) : [...DAYS.slice(from), ...DAYS.slice(0, to + 1)];
}

/** As it is typed: `mon-fri 22:00-04:00`. */
export function windowWords({ days, from, to }: Window): string {
  const places = DAYS.flatMap((day, at) => (days.includes(day) ? [at] : []));
  const runs: number[][] = [];
  for (const at of places) {
    const last = runs.at(-1);
    if (last?.at(-1) === at - 1) last.push(at);
    else runs.push([at]);
  }
  const named = runs.map((run) => [...new Set([DAYS[run[0] ?? 0], DAYS[run.at(-1) ?? 0]])].join("-"));
  return `${named.join(",")} ${from}-${to}`;
}
