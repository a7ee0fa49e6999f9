// Lengths of time for people: `30 days`, `90 minutes`, exact in whole units.

const DAY_MS = 86_400_000;
const UNITS = [
  ["day", DAY_MS],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** In the largest unit that says it exactly; one day is said as 24 hours. */
export function span(ms: number): string {
  const [unit, size] = UNITS.find(([, each]) => isWhole(ms, each)) ?? ["ms", 1];
  const count = ms / size;
  return `${count} ${unit}${count === 1 || unit === "ms" ? "" : "s"}`;
}

function isWhole(ms: number, unit: number): boolean {
  return ms >= unit && ms % unit === 0 && !(ms === DAY_MS && unit === DAY_MS);
}

/** How much is left of a longer time, in the largest unit, rounded down: `23 hours`. */
export function left(ms: number): string {
  const [, size] = UNITS.find(([, each]) => ms >= each) ?? ["second", 1000];
  return span(Math.max(0, Math.floor(ms / size) * size));
}
