// Times for people: how long ago, the whole date, and the day.

const SECOND = 1000;
const UNITS = [
  ["d", 24 * 3600 * SECOND],
  ["h", 3600 * SECOND],
  ["min", 60 * SECOND],
  ["s", SECOND],
] as const;

/** `3 min ago`, `just now`. A time that lies ahead is shown as a date. */
export function ago(time: number, now: number): string {
  const passedMs = now - time;
  if (passedMs < -SECOND) return date(time);
  const unit = UNITS.find(([, ms]) => passedMs >= ms);
  return unit === undefined ? "just now" : `${Math.floor(passedMs / unit[1])} ${unit[0]} ago`;
}

/** `2026-01-05 09:00:00Z`. */
export function date(time: number): string {
  return new Date(time)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

/** `2026-01-05`. */
export function day(time: number): string {
  return date(time).slice(0, 10);
}
