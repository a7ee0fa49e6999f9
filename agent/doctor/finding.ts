// One thing that the doctor looked at: how it is, and what to do where it is not well.

/** What was looked at; these words are stable. */
export const CHECKS = [
  "binding",
  "clock",
  "permissions",
  "service",
  "version",
  "proxy",
  "relay",
  "key-log",
  "disk",
  "room",
  "containment",
  "interpreters",
] as const;
export type Check = (typeof CHECKS)[number];

/** `ok`; `warning`: it works and somebody should look; `failed`: jobs do not run, or soon will not. */
export type Level = "ok" | "warning" | "failed";

export type Finding = {
  readonly check: Check;
  /** Where there are several of a kind: which relay, for instance. */
  readonly subject?: string;
  readonly level: Level;
  /** In words for people. */
  readonly says: string;
  /** What to do. */
  readonly hint?: string;
};

export const ok = (check: Check, says: string): Finding => ({ check, level: "ok", says });

export const warning = (check: Check, says: string, hint: string): Finding => ({ check, level: "warning", says, hint });

export const failed = (check: Check, says: string, hint: string): Finding => ({ check, level: "failed", says, hint });

/** The system's word for what went wrong, such as `EACCES`. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

/** A span in its largest unit, rounded down: `3 days`. */
export function span(ms: number): string {
  const [unit, size] = UNITS.find(([, least]) => Math.abs(ms) >= least) ?? (["second", 1_000] as const);
  const count = Math.floor(Math.abs(ms) / size);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const MIB = 1024 * 1024;

export const mebibytes = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
