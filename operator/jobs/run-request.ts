// What `keybound run`'s options ask for, as the body of a job; every mistake is said before a passphrase is asked for.
import * as v from "valibot";
import { toBase64url } from "../../protocol/bytes.ts";
import { label as labelOf, Word } from "../../protocol/fields.ts";
import { Limits, Shell } from "../../protocol/job-body.ts";
import { DEFAULT_JOB_TIME_MS, DEFAULT_OUTPUT_BYTES } from "../../protocol/limits.ts";
import type { Window } from "../../protocol/window.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { readBounded } from "../home/stored-file.ts";
import { MAX_STDIN_BYTES } from "../limits.ts";
import { plain } from "../present/escape.ts";
import { quoteFor } from "../quote.ts";
import { parseWindow } from "../typed-time.ts";
import type { World } from "../world.ts";
import type { BodyFields, WorkFields } from "./compose-job.ts";
import { readScript } from "./script-text.ts";

export type BodyOptions = {
  readonly shell?: string;
  readonly script?: string;
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly user?: string;
  readonly asConsole?: boolean;
  readonly eachSession?: boolean;
  readonly stdin?: string;
  readonly timeout?: number;
  readonly outputLimit?: number;
  readonly endAtOutput?: number;
  readonly maxProcesses?: number;
  readonly maxMemory?: number;
  readonly priority?: string;
  readonly leave?: boolean;
  readonly label?: string;
  readonly lock?: string;
  readonly window?: string;
  readonly mayReboot?: boolean;
};

/** What is run, and what it is given beside the operator's own variables. */
export type Program = Pick<BodyFields, "shell" | "source" | "args" | "env">;

const MAX_SHOWN_COMMAND = 60;

/** What the words and `--shell` or `--script` name; what was changed in a script is said. Throws `misuse`, `file-missing` or `file-large`. */
export function readProgram(world: World, words: readonly string[], options: BodyOptions): Program {
  const { notes, ...command } = commandOf(words, options);
  for (const note of notes) say(world, note);
  return { ...command, env: [] };
}

/** The body of a job that runs this. Throws `misuse`, `file-missing` or `file-large`. */
export async function readBodyOptions(world: World, program: Program, options: BodyOptions): Promise<BodyFields> {
  return {
    ...(options.label === undefined ? {} : { label: checked("--label", labelOf(120), options.label) }),
    ...program,
    env: variables(program, options.env ?? []),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    user: userOf(options),
    ...(options.stdin === undefined ? {} : { stdin: toBase64url(await inputOf(world, options.stdin)) }),
    limits: limitsOf(options),
    ...(options.lock === undefined ? {} : { lock: checked("--lock", Word, options.lock) }),
    ...(options.window === undefined ? {} : { window: windowOf(options.window) }),
    mayReboot: options.mayReboot === true,
    ...(options.leave === true ? { leave: true } : {}),
  };
}

function limitsOf(options: BodyOptions): Limits {
  const limits = {
    timeMs: options.timeout ?? DEFAULT_JOB_TIME_MS,
    outputBytes: options.outputLimit ?? DEFAULT_OUTPUT_BYTES,
    ...(options.endAtOutput === undefined ? {} : { endAtOutputBytes: options.endAtOutput }),
    ...(options.maxProcesses === undefined ? {} : { processes: options.maxProcesses }),
    ...(options.maxMemory === undefined ? {} : { memoryBytes: options.maxMemory }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
  };
  const { success, output, issues } = v.safeParse(Limits, limits);
  if (success) return output;
  const field = String(issues[0].path?.[0].key);
  throw new Fault("misuse", `${LIMIT_OPTIONS[field] ?? field}: ${issues[0].message}`);
}

const LIMIT_OPTIONS: Readonly<Record<string, string>> = {
  timeMs: "--timeout",
  outputBytes: "--output-limit",
  processes: "--max-processes",
  memoryBytes: "--max-memory",
  priority: "--priority",
};

/** What a list of jobs shows for this one: its label, or the beginning of its command. */
export function jobTitle({ label, source, args }: BodyFields): string {
  return shortened(plain(label ?? source?.trim().split("\n")[0] ?? args.join(" ")));
}

/** The same for a job of any kind. */
export function workTitle(work: WorkFields): string {
  if (work.kind === "run") return jobTitle(work.body);
  if (work.kind === "fetch") return shortened(plain(work.body.label ?? `fetch ${work.body.path}`));
  if (work.kind === "update")
    return shortened(plain(work.body.label ?? `update to ${work.body.version} (${work.body.platform})`));
  return shortened(`cancel ${work.body.jobs.map(({ job }) => job).join(", ")}`);
}

function shortened(line: string): string {
  return line.length > MAX_SHOWN_COMMAND ? `${line.slice(0, MAX_SHOWN_COMMAND - 3)}...` : line;
}

function shellOf({ shell }: BodyOptions): Shell | undefined {
  if (shell === undefined || v.is(Shell, shell)) return shell;
  throw new Fault("misuse", `--shell ${shell}: ${Shell.options.join(", ")}`);
}

function userOf({ user, asConsole, eachSession }: BodyOptions): BodyFields["user"] {
  if (asConsole === true) return { as: "console" };
  if (eachSession === true) return { as: "sessions" };
  return user === undefined ? { as: "system" } : { as: "user", name: user };
}

type CommandFields = Pick<BodyFields, "shell" | "source" | "args"> & { readonly notes: readonly string[] };

/** With a script, the words are its arguments; without one, they are the command. */
function commandOf(words: readonly string[], options: BodyOptions): CommandFields {
  const shell = shellOf(options);
  if (shell === "exec") return { shell, args: vectorOf(words, options.script), notes: [] };
  if (options.script !== undefined) return { ...readScript(options.script, shell), args: [...words] };
  const [only, another] = words;
  if (only === undefined) throw new Fault("misuse", "what shall run? a command after --, or --script FILE");
  const chosen = shell ?? "sh";
  return { shell: chosen, source: another === undefined ? only : quoteFor(chosen, words), args: [], notes: [] };
}

function vectorOf(words: readonly string[], script: string | undefined): string[] {
  if (script !== undefined) throw new Fault("misuse", "--shell exec runs a program, not a --script");
  const isAbsolute = /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(words[0] ?? "");
  if (!isAbsolute) throw new Fault("misuse", "--shell exec needs the program's absolute path after --");
  return [...words];
}

/** The program's own, then those of `--env`, none of them twice: Windows does not tell them apart by case. */
function variables({ env }: Program, typed: readonly string[]): BodyFields["env"] {
  const all = [...env, ...typed.map(variable)];
  const names = all.map(({ name }) => name.toUpperCase());
  const twice = all.find((_, at) => names.indexOf(names[at] ?? "") !== at);
  if (twice !== undefined) throw new Fault("misuse", `the variable ${plain(twice.name)} is given twice`);
  return all;
}

function variable(typed: string): { name: string; value: string } {
  const at = typed.indexOf("=");
  if (at < 1) throw new Fault("misuse", `--env ${typed}: NAME=VALUE`);
  return { name: typed.slice(0, at), value: typed.slice(at + 1) };
}

async function inputOf(world: World, path: string): Promise<Uint8Array> {
  if (path !== "-") return readBounded(path, MAX_STDIN_BYTES);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of world.stdin) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_STDIN_BYTES) throw new Fault("file-large", `standard input, at most ${MAX_STDIN_BYTES} bytes`);
    chunks.push(bytes);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function windowOf(typed: string): Window {
  const window = parseWindow(typed);
  if (window !== undefined) return window;
  throw new Fault(
    "misuse",
    `--window ${plain(typed)}: such as "mon-fri 22:00-04:00", in each device's own time; not of zero length`,
  );
}

function checked(option: string, schema: v.GenericSchema<unknown, string>, value: string): string {
  if (v.safeParse(schema, value).success) return value;
  throw new Fault("misuse", `${option} ${plain(value)}: not allowed`);
}
