// A maintenance window: the days and hours, by the device's own wall clock, in which a job may begin (SPEC 8.3).
import * as v from "valibot";

/** As the week goes. */
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const Day = v.picklist(DAYS);
export type Day = v.InferOutput<typeof Day>;

const TimeOfDay = v.pipe(v.string(), v.regex(/^([01]\d|2[0-3]):[0-5]\d$/));
const EndOfDay = "24:00";

export const Window = v.pipe(
  v.strictObject({
    days: v.pipe(
      v.array(Day),
      v.minLength(1),
      v.maxLength(DAYS.length),
      v.check((days) => new Set(days).size === days.length, "distinct days"),
    ),
    from: TimeOfDay,
    /** Before `from` where the window goes on after midnight: it then belongs to the day on which it began. */
    to: v.union([TimeOfDay, v.literal(EndOfDay)]),
  }),
  v.check(({ from, to }) => from !== to, "a window of some length"),
);
export type Window = Readonly<v.InferOutput<typeof Window>>;

/** What a clock on the device's wall shows. */
export type WallClock = { readonly day: Day /** Since midnight. */; readonly minute: number };

/** Whether a job with this window may begin. The minute of `from` is inside, that of `to` is not. */
export function isOpen({ days, from, to }: Window, { day, minute }: WallClock): boolean {
  const [opens, closes] = [minuteOf(from), minuteOf(to)];
  const isOn = (name: Day) => days.includes(name);
  if (opens < closes) return isOn(day) && minute >= opens && minute < closes;
  return (isOn(day) && minute >= opens) || (isOn(dayBefore(day)) && minute < closes);
}

function dayBefore(day: Day): Day {
  return DAYS[(DAYS.indexOf(day) + DAYS.length - 1) % DAYS.length] ?? day;
}

function minuteOf(time: string): number {
  const [hours, minutes] = time.split(":").map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
}
