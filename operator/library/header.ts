// The header of a script: comment lines at its top that say what it is called, what it needs and what it takes.
//
//   # keybound: name = restart-service
//   # keybound: param service: string, pattern ^[a-z0-9@._-]+$ -- which service
//
// In cmd, `rem` or `::` stands in place of `#`.
import { InvalidArgumentError } from "commander";
import * as v from "valibot";
import { label, Word } from "../../protocol/fields.ts";
import { Shell } from "../../protocol/job-body.ts";
import { MAX_JOB_LIFETIME_MS, MAX_JOB_TIME_MS, MAX_OUTPUT_BYTES } from "../../protocol/limits.ts";
import { Fault } from "../fault.ts";
import { MAX_HEADER_LINE_CHARS, MAX_HEADER_LINES, MAX_PARAMETERS } from "../limits.ts";
import { plain } from "../present/escape.ts";
import { duration, size } from "../quantity.ts";
import type { Parameter } from "./parameter.ts";
import { HeaderError, readParameterLine } from "./parameter-line.ts";

export const PLATFORMS = ["linux", "macos", "windows"] as const;
export type Platform = (typeof PLATFORMS)[number];
export type ScriptShell = Exclude<Shell, "exec">;

export type Header = {
  readonly name: string;
  readonly description: string;
  readonly shell: ScriptShell;
  /** None means any. */
  readonly platforms: readonly Platform[];
  /** How parameters reach the script; secrets are variables always. */
  readonly pass: "environment" | "arguments";
  /** In the order in which they were written. */
  readonly parameters: readonly Parameter[];
  /** Limits that an option on the command line overrides. */
  readonly timeoutMs?: number;
  readonly outputLimitBytes?: number;
  readonly expiresMs?: number;
  readonly lock?: string;
  readonly mayReboot: boolean;
};

const KEYS = [
  "name",
  "description",
  "shell",
  "platform",
  "pass",
  "timeout",
  "output-limit",
  "expires",
  "lock",
  "may-reboot",
] as const;
type Key = (typeof KEYS)[number];

/** Names of Windows' devices, which are no names of files there. */
const NO_FILE_NAME = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/;
const COMMENT = /^\s*(#|::|@?rem(?=\s|$))(.*)$/i;
const CODELESS = /^\s*(@?echo off)?\s*$/i;

/** The name of a script, also as part of a file's name: never a path. */
export function isScriptName(name: string): boolean {
  return v.is(Word, name) && !NO_FILE_NAME.test(name);
}

/** Whether a text has a line that means to be of a header: other files of a folder have none. */
export function hasHeader(source: string): boolean {
  return linesOf(source).some(isOurs);
}

/** Throws `script-header` with the line's number and what is wrong; `file` is what the script is called there. */
export function readHeader(source: string, file: string): Header {
  const settings = new Map<Key, Line>();
  const parameters: Parameter[] = [];
  const lines = headerLines(source, file);
  for (const line of lines) {
    at(file, line, () => {
      if (line.text.startsWith("param ")) parameters.push(readParameterLine(line.text));
      else addSetting(settings, line);
      checkParameters(parameters);
    });
  }
  const header = headerOf(new Settings(settings, file), parameters);
  for (const line of lines) at(file, line, () => checkMark(line, header.shell));
  return header;
}

type Line = { readonly number: number; readonly mark: string; readonly text: string };

function at<T>(file: string, { number }: { readonly number: number }, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof HeaderError)
      throw new Fault("script-header", `${plain(file)}:${number}: ${error.message}`, { cause: error });
    throw error;
  }
}

// --- Which lines are the header ---

function linesOf(source: string): readonly string[] {
  return source.replace(/^\u{feff}/u, "").split(/\r?\n/);
}

function isOurs(line: string): boolean {
  return /^\s*keybound\s*:/i.test(COMMENT.exec(line)?.[2] ?? "");
}

/** Lines of the header, which ends at the first line of code: one below it would be read by nobody. */
function headerLines(source: string, file: string): readonly Line[] {
  const lines = linesOf(source);
  const code = lines.findIndex((line) => !CODELESS.test(line) && !COMMENT.test(line));
  const found: Line[] = [];
  for (const [index, line] of lines.entries()) {
    if (!isOurs(line)) continue;
    const number = index + 1;
    found.push(at(file, { number }, () => ourLine(line, { number, isBelow: code >= 0 && index > code })));
    if (found.length > MAX_HEADER_LINES)
      throw new Fault("script-header", `${plain(file)}:${number}: more than ${MAX_HEADER_LINES} lines of header`);
  }
  return found;
}

function ourLine(line: string, { number, isBelow }: { readonly number: number; readonly isBelow: boolean }): Line {
  if (isBelow) throw new HeaderError("a line of the header stands above the first line of code");
  if (line.length > MAX_HEADER_LINE_CHARS) throw new HeaderError(`at most ${MAX_HEADER_LINE_CHARS} characters`);
  const [, mark = "", comment = ""] = COMMENT.exec(line) ?? [];
  const [, text] = /^\s*keybound: *(\S.*?)\s*$/.exec(comment) ?? [];
  if (text === undefined) throw new HeaderError("keybound: KEY = VALUE, or keybound: param NAME: TYPE");
  return { number, mark: mark.toLowerCase(), text };
}

function checkMark({ mark }: Line, shell: ScriptShell): void {
  if ((mark === "#") === (shell === "cmd")) throw new HeaderError(`${mark} begins no comment of ${shell}`);
}

// --- Settings ---

function addSetting(settings: Map<Key, Line>, line: Line): void {
  const [, typed = "", value] = /^([^=:]*?) *= *(.*)$/.exec(line.text) ?? [];
  const key = KEYS.find((one) => one === typed);
  if (value === undefined) throw new HeaderError("keybound: KEY = VALUE, or keybound: param NAME: TYPE");
  if (key === undefined) throw new HeaderError(`key ${JSON.stringify(typed)}: ${KEYS.join(", ")} or param`);
  if (value === "") throw new HeaderError(`${key} has no value`);
  if (settings.has(key)) throw new HeaderError(`${key} is there twice`);
  settings.set(key, { ...line, text: value });
}

function checkParameters(parameters: readonly Parameter[]): void {
  const last = parameters.at(-1);
  if (last === undefined) return;
  const others = parameters.slice(0, -1);
  if (others.some(({ name }) => name === last.name)) throw new HeaderError(`param ${last.name} is there twice`);
  // Windows does not tell variables apart by case.
  if (others.some(({ variable }) => variable.toUpperCase() === last.variable.toUpperCase()))
    throw new HeaderError(`two parameters have the variable ${last.variable}`);
  if (parameters.length > MAX_PARAMETERS) throw new HeaderError(`at most ${MAX_PARAMETERS} parameters`);
}

class Settings {
  readonly #lines: ReadonlyMap<Key, Line>;
  readonly #file: string;

  constructor(lines: ReadonlyMap<Key, Line>, file: string) {
    this.#lines = lines;
    this.#file = file;
  }

  get<T>(key: Key, read: (value: string) => T): T | undefined {
    const line = this.#lines.get(key);
    return line === undefined ? undefined : at(this.#file, line, () => read(line.text));
  }

  need<T>(key: Key, read: (value: string) => T): T {
    const value = this.get(key, read);
    if (value !== undefined) return value;
    throw new Fault("script-header", `${plain(this.#file)}:1: no line "keybound: ${key} = ..."`);
  }

  /** For a mistake that is in no line alone. */
  check(key: Key, isRight: boolean, words: string): void {
    this.get(key, () => {
      if (!isRight) throw new HeaderError(words);
    });
  }
}

function headerOf(settings: Settings, parameters: readonly Parameter[]): Header {
  const shell = settings.need("shell", shellOf);
  const pass = settings.get("pass", passOf) ?? "environment";
  // cmd and PowerShell take their arguments apart again: a value could be more than data there.
  const takesArguments = shell !== "cmd" && shell !== "powershell" && shell !== "pwsh";
  settings.check("pass", pass === "environment" || takesArguments, `${shell} takes parameters as environment only`);
  const timeoutMs = settings.get("timeout", atMost(duration, MAX_JOB_TIME_MS));
  const outputLimitBytes = settings.get("output-limit", atMost(size, MAX_OUTPUT_BYTES));
  const expiresMs = settings.get("expires", atMost(duration, MAX_JOB_LIFETIME_MS));
  const lock = settings.get("lock", lockOf);
  return {
    name: settings.need("name", nameOf),
    description: settings.need("description", descriptionOf),
    shell,
    platforms: settings.get("platform", platformsOf) ?? [],
    pass,
    parameters,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(outputLimitBytes === undefined ? {} : { outputLimitBytes }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
    ...(lock === undefined ? {} : { lock }),
    mayReboot: settings.get("may-reboot", yesOf) ?? false,
  };
}

function nameOf(value: string): string {
  if (isScriptName(value)) return value;
  throw new HeaderError(
    "name: lower-case letters, digits, dot, dash, underscore, at most 63, and no device of Windows",
  );
}

function descriptionOf(value: string): string {
  if (v.is(label(200), value)) return value;
  throw new HeaderError("description: 1 to 200 printable characters");
}

function shellOf(value: string): ScriptShell {
  if (v.is(Shell, value) && value !== "exec") return value;
  throw new HeaderError(`shell: ${Shell.options.filter((shell) => shell !== "exec").join(", ")}`);
}

function platformsOf(value: string): readonly Platform[] {
  const words = value.split(",").map((word) => word.trim());
  const platforms = PLATFORMS.filter((platform) => words.includes(platform));
  if (platforms.length === words.length) return platforms;
  throw new HeaderError(`platform: ${PLATFORMS.join(", ")}, each once, with commas between`);
}

function passOf(value: string): Header["pass"] {
  if (value === "environment" || value === "arguments") return value;
  throw new HeaderError("pass: environment or arguments");
}

function lockOf(value: string): string {
  if (v.is(Word, value)) return value;
  throw new HeaderError("lock: lower-case letters, digits, dot, dash, underscore, at most 63");
}

function yesOf(value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw new HeaderError("may-reboot: true or false");
}

function atMost(read: (typed: string) => number, most: number): (value: string) => number {
  return (value) => {
    const number = quantity(read, value);
    if (number > most) throw new HeaderError(`${value} is more than a job may have`);
    return number;
  };
}

function quantity(read: (typed: string) => number, value: string): number {
  try {
    return read(value);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new HeaderError(`${value}: ${error.message}`, { cause: error });
    throw error;
  }
}
