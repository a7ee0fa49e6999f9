// The values that a script's parameters get: given on the command line or in files, asked for at a terminal, or the header's own.
import { text } from "../../protocol/bytes.ts";
import { askChecked } from "../ask.ts";
import { Fault } from "../fault.ts";
import { readBounded } from "../home/stored-file.ts";
import { MAX_PARAMETER_CHARS } from "../limits.ts";
import { plain } from "../present/escape.ts";
import { isAtTerminal, type World } from "../world.ts";
import type { Header } from "./header.ts";
import { type Parameter, readValue, typeWords } from "./parameter.ts";

export type ValueOptions = {
  /** `name=value`; never a secret, which a shell's history and a list of processes would have. */
  readonly param?: readonly string[];
  /** `name=FILE`. */
  readonly paramFile?: readonly string[];
};

export type ParameterValue = {
  readonly parameter: Parameter;
  /** What the script gets. */
  readonly value: string;
  /** As it was typed, where it was not left to the header. */
  readonly typed: string | undefined;
};

/** cmd puts a variable's value into the line before it takes the line apart, so that these would be code. */
const CODE_TO_CMD = /["%!^&|<>()\r\n]/;

/**
 * A value for each parameter, in the header's order. Throws `misuse` for one that is unknown, there twice, not of its type, or
 * missing where nobody can be asked.
 */
export async function chooseValues(
  world: World,
  header: Header,
  options: ValueOptions,
): Promise<readonly ParameterValue[]> {
  const typed = typedValues(header, options);
  const given = header.parameters.flatMap((parameter) => {
    const value = typed.get(parameter.name);
    return value === undefined ? [] : [checked(header, parameter, value)];
  });
  const missing = header.parameters.filter(({ name, fallback }) => fallback === undefined && !typed.has(name));
  if (missing.length > 0 && !isAtTerminal(world)) throw missingFault(header, missing);
  const chosen = new Map(given.map((one) => [one.parameter, one]));
  for (const parameter of missing) chosen.set(parameter, await ask(world, header, parameter));
  return header.parameters.map((parameter) => chosen.get(parameter) ?? ownValue(header, parameter));
}

function typedValues(header: Header, { param = [], paramFile = [] }: ValueOptions): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const add = (option: string, typed: string, read: (parameter: Parameter, rest: string) => string) => {
    const at = typed.indexOf("=");
    if (at < 1) throw new Fault("misuse", `${option} is followed by NAME=${option === "--param" ? "VALUE" : "FILE"}`);
    const parameter = parameterOf(header, typed.slice(0, at));
    if (values.has(parameter.name)) throw new Fault("misuse", `parameter ${parameter.name} is given twice`);
    values.set(parameter.name, read(parameter, typed.slice(at + 1)));
  };
  for (const typed of param) add("--param", typed, unlessSecret);
  for (const typed of paramFile) add("--param-file", typed, fileContent);
  return values;
}

function parameterOf({ name: script, parameters }: Header, name: string): Parameter {
  const found = parameters.find((parameter) => parameter.name === name);
  if (found !== undefined) return found;
  const names = parameters.map((parameter) => parameter.name).join(", ");
  throw new Fault(
    "misuse",
    `${script} has no parameter ${plain(name)}${names === "" ? ", nor any other" : `, but ${names}`}`,
  );
}

function unlessSecret({ name, type }: Parameter, value: string): string {
  if (type.type !== "secret") return value;
  throw new Fault("misuse", `${name} is a secret, which others could read from --param`, {
    hint: `--param-file ${name}=FILE, or leave it out and type it when asked; what was typed may be in your shell's history`,
  });
}

function fileContent({ name }: Parameter, path: string): string {
  // A character takes four bytes at the most; one line break at the end is the editor's or echo's.
  const content = text(readBounded(path, 4 * MAX_PARAMETER_CHARS + 2));
  if (content === undefined) throw new Fault("misuse", `--param-file ${name}: not UTF-8 text`);
  return content.replace(/\r?\n$/, "");
}

function checked(header: Header, parameter: Parameter, typed: string): ParameterValue {
  const read = readFor(header, parameter, typed);
  if ("problem" in read) {
    const shown = parameter.type.type === "secret" ? "" : ` ${plain(typed.slice(0, 80))}`;
    throw new Fault("misuse", `parameter ${parameter.name}${shown}: ${read.problem}`);
  }
  return { parameter, value: read.value, typed };
}

function readFor({ shell }: Header, { type }: Parameter, typed: string) {
  const read = readValue(type, typed);
  if (shell === "cmd" && "value" in read && CODE_TO_CMD.test(read.value))
    return { problem: `cmd would take a part of it for code: none of " % ! ^ & | < > ( ) and line breaks` };
  return read;
}

function ownValue(header: Header, parameter: Parameter): ParameterValue {
  const { value } = checked(header, parameter, parameter.fallback ?? "");
  return { parameter, value, typed: undefined };
}

async function ask(world: World, header: Header, parameter: Parameter): Promise<ParameterValue> {
  const { name, about, type } = parameter;
  const message = `${name} (${about === undefined ? "" : `${about}; `}${typeWords(type)}):`;
  const check = (typed: string) => {
    const read = readFor(header, parameter, typed);
    return "problem" in read ? read.problem : undefined;
  };
  return checked(header, parameter, await askChecked(world, message, { check, isSecret: type.type === "secret" }));
}

function missingFault({ name }: Header, missing: readonly Parameter[]): Fault {
  const options = missing.map((parameter) =>
    parameter.type.type === "secret" ? `--param-file ${parameter.name}=FILE` : `--param ${parameter.name}=VALUE`,
  );
  return new Fault("misuse", `${name} needs ${options.join(" ")}, and there is no terminal to ask at`, {
    hint: `keybound script show ${name}`,
  });
}
