// What is said between the agent and its launcher (packaging/windows/job-launcher.c), which holds a job's processes in a Job Object.
import { MAX_LAUNCHER_LINE_CHARS } from "../limits.ts";

/** It stands beside the agent's program. */
export const LAUNCHER = "keybound-job-launcher.exe";

/** What the launcher is told. Limits that are absent are not set. */
export type LauncherSetup = {
  readonly program: string;
  /** The whole command line. */
  readonly line: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly processes?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly priority?: "low" | "normal" | "high" | undefined;
  /** Whose session; absent for the agent's own account. */
  readonly who?: string | undefined;
  /** Where the source is, which that user is to read. */
  readonly place?: { readonly folder: string; readonly begun?: string | undefined } | undefined;
};

/** What a session's user has of their own, and a job in that session with them. */
const TAKEN = [
  "USERNAME",
  "USERDOMAIN",
  "USERPROFILE",
  "HOMEDRIVE",
  "HOMEPATH",
  "APPDATA",
  "LOCALAPPDATA",
  "TEMP",
  "TMP",
] as const;

/** Length, then names and values in turn, each ended by NUL. No value has one: the fields of a body do not. */
export function launcherSetup(setup: LauncherSetup): Uint8Array {
  const text = Buffer.from(
    fieldsOf(setup)
      .map(([name, value]) => `${name}\0${value}\0`)
      .join(""),
    "utf16le",
  );
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeUInt32LE(text.length);
  text.copy(bytes, 4);
  return bytes;
}

function fieldsOf(setup: LauncherSetup): readonly (readonly [name: string, value: string])[] {
  const { program, line, folder, who, processes, memoryBytes, priority, place } = setup;
  const inSession = who !== undefined;
  const env = Object.entries(setup.env).filter(([name]) => !inSession || !isTemporaryFolder(name, setup));
  const optional = [
    ["processes", processes],
    ["memory", memoryBytes],
    ["priority", priority],
    ["who", who],
    ["source", inSession ? place?.folder : undefined],
    ["begun", inSession ? place?.begun : undefined],
  ] as const;
  return [
    ["program", program],
    ["line", line],
    ["folder", folder],
    ...env.map(([name, value]) => ["env", `${name}=${value}`] as const),
    ...(inSession ? TAKEN.map((name) => ["take", name] as const) : []),
    ...optional.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as const])),
  ];
}

/** The agent's own temporary folder is not for a session's user, who has one. */
function isTemporaryFolder(name: string, { env }: LauncherSetup): boolean {
  return ["TEMP", "TMP"].includes(name.toUpperCase()) && env["TEMP"] === env["TMP"];
}

export type LauncherReport =
  | { readonly type: "started"; readonly sessions: number }
  /** Nobody is logged on where the job was to run. */
  | { readonly type: "absent" }
  /** Only SYSTEM may start processes in other sessions. */
  | { readonly type: "denied" }
  /** By Windows' number of the error. */
  | { readonly type: "failed"; readonly error: number }
  /** Nothing of the job can be asked to end: it has no console of the launcher's. */
  | { readonly type: "deaf" }
  | { readonly type: "exited"; readonly code: number }
  /** No process of the job is left. */
  | { readonly type: "empty" };

/** Reports out of the pieces in which they come. */
export class ReportReader {
  #rest = "";

  /** Throws our own fault where this is no report: the launcher is ours. */
  take(piece: Uint8Array): readonly LauncherReport[] {
    const lines = `${this.#rest}${Buffer.from(piece).toString("latin1")}`.split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > MAX_LAUNCHER_LINE_CHARS) throw noReport(this.#rest);
    return lines.map(readReport);
  }
}

function readReport(line: string): LauncherReport {
  if (line === "absent" || line === "denied" || line === "deaf" || line === "empty") return { type: line };
  const [, type, digits] = /^(started|failed|exited) ([0-9]{1,10})$/.exec(line) ?? [];
  const number = Number(digits);
  if (type === "started") return { type, sessions: number };
  if (type === "failed") return { type, error: number };
  if (type === "exited") return { type, code: number };
  throw noReport(line);
}

function noReport(line: string): Error {
  return new Error(`internal error: the launcher says ${JSON.stringify(line.slice(0, MAX_LAUNCHER_LINE_CHARS))}`);
}

// winerror.h; the words are those that other platforms have for the same, where there is one.
const WORDS: Readonly<Record<number, string>> = {
  2: "ENOENT",
  3: "ENOENT",
  5: "EACCES",
  8: "ENOMEM",
  14: "ENOMEM",
  32: "EBUSY",
  87: "EINVAL",
  193: "ENOEXEC",
  206: "ENAMETOOLONG",
  216: "ENOEXEC",
  267: "ENOTDIR",
  740: "EPERM",
  1260: "BLOCKED_BY_POLICY",
  1314: "EPERM",
  1450: "ENOMEM",
  1455: "ENOMEM",
  1816: "EAGAIN",
};

/** The word of an outcome for one of Windows' errors; one that has none is named by its number. */
export function wordOf(error: number): string {
  return WORDS[error] ?? `WINDOWS_${error}`;
}
