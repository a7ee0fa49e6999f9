// One `param` line of a header: `param NAME [as VARIABLE]: TYPE[, RULE]... [= DEFAULT] [-- TEXT]`.
import * as v from "valibot";
import { label } from "../../protocol/fields.ts";
import { MAX_CHOICES, MAX_PARAMETER_CHARS } from "../limits.ts";
import { type Parameter, type ParameterType, readValue } from "./parameter.ts";
import { type Pattern, readPattern } from "./pattern.ts";

const NAME = /^param ([a-z][a-z0-9_-]{0,31})(?: as ([A-Za-z_][A-Za-z0-9_]{0,63}))?: +(.*\S)$/;
/** The type with its rules: up to a default or a text, neither of which can stand inside it. */
const TYPE = /^(.*?)(?: = (.*))?$/;
const TEXT_MARK = " -- ";
const MAX_TEXT = 200;
/** Variables that programs themselves obey: a value there would be more than data. */
const OBEYED =
  /^(PATH|PATHEXT|COMSPEC|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|IFS|ENV|PS[0-9]|CDPATH|TMP|TEMP|TMPDIR|SHELLOPTS|SYSTEM.*|PROGRAMDATA|PSMODULEPATH|PROMPT_COMMAND|ZDOTDIR|(BASH|LD_|DYLD_|PYTHON|NODE_|PERL|RUBY|GIT_|GCONV|DOTNET_|COR_|CORECLR_).*)$/i;

/** Throws `HeaderError` without a line number: the reader of the header knows it. */
export function readParameterLine(line: string): Parameter {
  const [, name, chosen, rest] = NAME.exec(line) ?? [];
  if (name === undefined || rest === undefined) throw new HeaderError("param NAME: TYPE [= DEFAULT] [-- TEXT]");
  if (chosen !== undefined && OBEYED.test(chosen))
    throw new HeaderError(`as ${chosen}: programs themselves obey this variable`);
  const { spec, fallback, about } = partsOf(rest);
  const type = readType(spec);
  checkDefault(type, fallback);
  const variable = chosen ?? `KEYBOUND_PARAM_${name.toUpperCase().replaceAll("-", "_")}`;
  return { name, variable, type, fallback, about };
}

/** What is wrong with a line of a header. */
export class HeaderError extends Error {
  override readonly name = "HeaderError";
}

type Parts = { readonly spec: string; readonly fallback: string | undefined; readonly about: string | undefined };

function partsOf(rest: string): Parts {
  const quoted = /^(.*?) = ("(?:[^"\\]|\\.)*")(?: -- (.+))?$/.exec(rest);
  const isFirst = quoted !== null && !quoted[1]?.includes(TEXT_MARK) && !quoted[1]?.includes(" = ");
  if (isFirst) return { spec: quoted[1] ?? "", fallback: unquoted(quoted[2] ?? ""), about: textOf(quoted[3]) };
  const at = rest.indexOf(TEXT_MARK);
  const [, spec = "", fallback] = TYPE.exec(at < 0 ? rest : rest.slice(0, at)) ?? [];
  if (fallback?.startsWith('"')) throw new HeaderError("a default that begins with a quote is one JSON string");
  return { spec: spec.trim(), fallback: fallback?.trim(), about: textOf(at < 0 ? undefined : rest.slice(at + 4)) };
}

function unquoted(json: string): string {
  try {
    return v.parse(v.string(), JSON.parse(json));
  } catch (error) {
    if (error instanceof SyntaxError) throw new HeaderError(`default ${json} is no JSON string`);
    throw error;
  }
}

function textOf(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  if (trimmed === undefined || v.is(label(MAX_TEXT), trimmed)) return trimmed;
  throw new HeaderError(`the text after -- is 1 to ${MAX_TEXT} printable characters`);
}

function checkDefault(type: ParameterType, fallback: string | undefined): void {
  if (fallback === undefined) return;
  if (type.type === "secret") throw new HeaderError("a secret has no default");
  const read = readValue(type, fallback);
  if ("problem" in read) throw new HeaderError(`default ${JSON.stringify(fallback)}: ${read.problem}`);
}

// --- Types and their rules ---

function readType(spec: string): ParameterType {
  const [, words] = /^choice\((.+)\)$/.exec(spec) ?? [];
  if (words !== undefined) return choiceOf(words);
  const [type = "", ...typed] = spec.split(", ");
  const rules = new Rules(typed);
  const read = typeOf(type, rules);
  rules.checkUsed();
  return read;
}

function typeOf(type: string, rules: Rules): ParameterType {
  switch (type) {
    case "string":
      return { type, ...lengthOf(rules), pattern: patternOf(rules.take("pattern")) };
    case "secret":
      return { type, ...lengthOf(rules, 1) };
    case "boolean":
      return { type };
    case "integer":
      return rangeOf(rules, { type, min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
    case "duration":
    case "size":
      return rangeOf(rules, { type, min: 0, max: Number.MAX_SAFE_INTEGER });
    default:
      throw new HeaderError(
        `type ${JSON.stringify(type)}: string, integer, boolean, choice(A, B), duration, size or secret`,
      );
  }
}

function choiceOf(spec: string): ParameterType {
  const words = spec.split(",").map((word) => word.trim());
  const odd = words.find((word) => !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(word));
  if (odd !== undefined) throw new HeaderError(`choice ${JSON.stringify(odd)}: letters, digits, dot, dash, underscore`);
  if (new Set(words).size !== words.length) throw new HeaderError("a choice that is there twice");
  if (words.length > MAX_CHOICES) throw new HeaderError(`${words.length} choices, at most ${MAX_CHOICES}`);
  return { type: "choice", words };
}

/** `pattern X`, `length 1..8`, `min 1`, each once; what nothing asks for is a mistake. */
class Rules {
  readonly #values = new Map<string, string>();

  constructor(typed: readonly string[]) {
    for (const rule of typed) {
      const [, key, value] = /^(pattern|length|min|max) (\S+)$/.exec(rule.trim()) ?? [];
      if (key === undefined || value === undefined)
        throw new HeaderError(`rule ${JSON.stringify(rule)}: pattern P, length A..B, min N or max N`);
      if (this.#values.has(key)) throw new HeaderError(`rule ${key} is there twice`);
      this.#values.set(key, value);
    }
  }

  take(key: string): string | undefined {
    const value = this.#values.get(key);
    this.#values.delete(key);
    return value;
  }

  checkUsed(): void {
    const [left] = this.#values.keys();
    if (left !== undefined) throw new HeaderError(`this type has no rule ${left}`);
  }
}

type Range = { readonly min: number; readonly max: number };

function lengthOf(rules: Rules, least = 0): Range {
  const typed = rules.take("length");
  if (typed === undefined) return { min: least, max: MAX_PARAMETER_CHARS };
  const [, min, max] = /^(\d{1,4})\.\.(\d{1,4})$/.exec(typed) ?? [];
  const range = { min: Number(min), max: Number(max) };
  if (range.min <= range.max && range.max <= MAX_PARAMETER_CHARS) return range;
  throw new HeaderError(`length ${typed}: A..B, at most ${MAX_PARAMETER_CHARS}`);
}

function patternOf(spelling: string | undefined): Pattern | undefined {
  if (spelling === undefined) return undefined;
  const pattern = readPattern(spelling);
  if (pattern !== undefined) return pattern;
  throw new HeaderError(
    `pattern ${spelling}: characters, classes such as [a-z], and ? * + {n,m} behind them; no groups`,
  );
}

type Ranged = Extract<ParameterType, { type: "integer" | "duration" | "size" }>;

function rangeOf(rules: Rules, widest: Ranged): ParameterType {
  const bound = (rule: "min" | "max"): number => {
    const typed = rules.take(rule);
    if (typed === undefined) return widest[rule];
    const read = readValue(widest, typed);
    if ("problem" in read) throw new HeaderError(`${rule} ${typed}: ${read.problem}`);
    return Number(read.value);
  };
  const range = { min: bound("min"), max: bound("max") };
  if (range.min > range.max) throw new HeaderError("min is more than max");
  return { ...widest, ...range };
}
