// Lengths of time for people: `30 days`, `90 minutes`, exact in whole units.

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** In the largest unit that says it exactly; a day is said in hours, as jobs and delays are. */
export function span(ms: number): string {
  const [unit, size] = UNITS.find(([, each]) => ms >= each && ms % each === 0 && ms !== 86_400_000) ?? ["ms", 1];
  const count = ms / size;
  return `${count} ${unit}${count === 1 || unit === "ms" ? "" : "s"}`;
}

/** How much is left of a longer time, in the largest unit, rounded down: `23 hours`. */
export function left(ms: number): string {
  const [, size] = UNITS.find(([, each]) => ms >= each) ?? ["second", 1000];
  return span(Math.max(0, Math.floor(ms / size) * size));
}
