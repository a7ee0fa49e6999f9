// Numbers with units, as typed on a command line: `90s`, `10m`, `24h`, `7d`; `64K`, `1M`.
import { InvalidArgumentError } from "commander";

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZES: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Milliseconds. Throws commander's InvalidArgumentError, which ends in exit code 2. */
export function duration(typed: string): number {
  const [, number, unit = ""] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(typed) ?? [];
  const ms = Number(number) * (DURATIONS[unit] ?? Number.NaN);
  if (!(ms > 0)) throw new InvalidArgumentError("a number and ms, s, m, h or d, such as 10m");
  return ms;
}

/** Bytes. */
export function size(typed: string): number {
  const [, number, unit = ""] = /^(\d{1,12})([kmg]?)$/.exec(typed.toLowerCase().replace(/i?b?$/, "")) ?? [];
  const bytes = Number(number) * (SIZES[unit] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError("a number of bytes, or with K or M, such as 64K");
  return bytes;
}

/** A whole number from 1 on. */
export function count(typed: string): number {
  const number = /^\d{1,9}$/.test(typed) ? Number(typed) : 0;
  if (number < 1) throw new InvalidArgumentError("a whole number from 1 on");
  return number;
}

/** A file's mode, in octal. */
export function fileMode(typed: string): number {
  if (!/^[0-7]{3,4}$/.test(typed)) throw new InvalidArgumentError("three or four octal digits, such as 0644");
  return Number.parseInt(typed, 8);
}

/** A descriptor's number. */
export function descriptor(typed: string): number {
  if (!/^\d{1,4}$/.test(typed)) throw new InvalidArgumentError("the number of an open file descriptor");
  return Number(typed);
}

/** Collects an option that may be repeated. */
export function repeated(typed: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), typed];
}

/** Collects an option that may be repeated, or hold several names with commas between them. */
export function listed(typed: string, before: readonly string[] | undefined): readonly string[] {
  const names = typed.split(",").map((name) => name.trim());
  return [...(before ?? []), ...names.filter((name) => name !== "")];
}
