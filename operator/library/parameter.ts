// The types of a script's parameters, and whether a typed value is of one. What is answered is what the script gets.
import { InvalidArgumentError } from "commander";
import { MAX_PARAMETER_CHARS } from "../limits.ts";
import { size } from "../quantity.ts";
import { matches, type Pattern } from "./pattern.ts";

type Range = { readonly min: number; readonly max: number };

export type ParameterType =
  | (Range & { readonly type: "string"; readonly pattern: Pattern | undefined })
  /** Text that is shown and kept nowhere; the range is its length. */
  | (Range & { readonly type: "secret" })
  | (Range & { readonly type: "integer" })
  /** Typed as `90s` or `10m`; the script gets whole seconds. The range is seconds. */
  | (Range & { readonly type: "duration" })
  /** Typed as `64K` or `10M`; the script gets bytes. */
  | (Range & { readonly type: "size" })
  | { readonly type: "boolean" }
  | { readonly type: "choice"; readonly words: readonly string[] };

export type Parameter = {
  readonly name: string;
  /** The variable that has its value. */
  readonly variable: string;
  readonly type: ParameterType;
  /** As typed in the header; without one the parameter has to be given. */
  readonly fallback: string | undefined;
  readonly about: string | undefined;
};

/** What the script gets, or what is wrong with what was typed. The problem never repeats the value of a secret. */
export type Read = { readonly value: string } | { readonly problem: string };

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

export function readValue(type: ParameterType, typed: string): Read {
  switch (type.type) {
    case "string":
      return readText(type, typed);
    case "secret":
      return readText({ ...type, pattern: undefined }, typed);
    case "integer":
      return inRange(type, integer(typed), "a whole number");
    case "duration":
      return inRange(type, seconds(typed), "a number with s, m, h or d, such as 30s");
    case "size":
      return inRange(type, bytes(typed), "a number of bytes, or with K, M or G, such as 64K");
    case "boolean":
      return oneOf(["true", "false"], typed);
    case "choice":
      return oneOf(type.words, typed);
    default:
      throw new Error(`internal error: no reader for ${JSON.stringify(type satisfies never)}`);
  }
}

/** A type in the words of a header: `string, pattern ^[a-z]+$`, `choice(low, high)`. */
export function typeWords(type: ParameterType): string {
  switch (type.type) {
    case "string":
      return `string${type.pattern === undefined ? "" : `, pattern ${type.pattern.spelling}`}${lengthWords(type, 0)}`;
    case "secret":
      return `secret${lengthWords(type, 1)}`;
    case "boolean":
      return "boolean";
    case "choice":
      return `choice(${type.words.join(", ")})`;
    default:
      return `${type.type}${rangeWords(type)}`;
  }
}

function lengthWords({ min, max }: Range, least: number): string {
  return min === least && max === MAX_PARAMETER_CHARS ? "" : `, length ${min}..${max}`;
}

function rangeWords({ type, min, max }: Extract<ParameterType, { type: "integer" | "duration" | "size" }>): string {
  const unit = type === "duration" ? "s" : "";
  const least = type === "integer" ? Number.MIN_SAFE_INTEGER : 0;
  const low = min === least ? "" : `, min ${min}${unit}`;
  return max === Number.MAX_SAFE_INTEGER ? low : `${low}, max ${max}${unit}`;
}

function readText({ min, max, pattern }: Range & { readonly pattern: Pattern | undefined }, typed: string): Read {
  if (typed.length < min || typed.length > max) return { problem: `${min} to ${max} characters, not ${typed.length}` };
  if (!typed.isWellFormed() || typed.includes("\0")) return { problem: "text without NUL and half characters" };
  if (pattern !== undefined && !matches(pattern, typed)) return { problem: `not of the pattern ${pattern.spelling}` };
  return { value: typed };
}

function inRange({ min, max }: Range, value: number | undefined, form: string): Read {
  if (value === undefined) return { problem: form };
  if (value < min) return { problem: `at least ${min}` };
  return value > max ? { problem: `at most ${max}` } : { value: String(value) };
}

function oneOf(words: readonly string[], typed: string): Read {
  return words.includes(typed) ? { value: typed } : { problem: words.join(", ") };
}

function integer(typed: string): number | undefined {
  const value = /^(0|-?[1-9]\d{0,15})$/.test(typed) ? Number(typed) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function seconds(typed: string): number | undefined {
  const [, number, unit = ""] = /^(\d{1,9})([smhd])$/.exec(typed) ?? [];
  return number === undefined ? undefined : Number(number) * (SECONDS[unit] ?? Number.NaN);
}

function bytes(typed: string): number | undefined {
  try {
    return size(typed);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}
