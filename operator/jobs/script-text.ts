// A script file as it will be signed. A device runs the signed text as it is, so what would make a shell stumble is put right here,
// where whoever signs can read of it.
import { basename, extname } from "node:path";
import { text } from "../../protocol/bytes.ts";
import type { Shell } from "../../protocol/job-body.ts";
import { MAX_BODY_BYTES } from "../../protocol/limits.ts";
import { Fault } from "../fault.ts";
import { readBounded } from "../home/stored-file.ts";
import { plain } from "../present/escape.ts";

export type ScriptText = {
  readonly shell: Shell;
  readonly source: string;
  /** What was changed or may surprise, a line each. */
  readonly notes: readonly string[];
};

export type Changed = { readonly source: string; readonly notes: readonly string[] };

const BYTE_ORDER_MARK = "\u{feff}";

/** `shell`: as it was said; without it the script's first line or its name says. Throws `misuse`, `file-missing` or `file-large`. */
export function readScript(path: string, shell: Shell | undefined): ScriptText {
  const written = decoded(path);
  const asked = shell === undefined ? shellFor(path, written) : { shell, notes: [] };
  const fitted = fitFor(asked.shell, written);
  const notes = [...asked.notes, ...fitted.notes].map((note) => `${plain(path)}: ${note}`);
  return { shell: asked.shell, source: fitted.source, notes };
}

/** A text as this shell reads it right, and what was changed. */
export function fitFor(shell: Shell, written: string): Changed {
  const unmarked = withoutMark(written, shell);
  const ended = withLineEnds(unmarked.source, shell);
  return { source: ended.source, notes: [...unmarked.notes, ...ended.notes] };
}

function decoded(path: string): string {
  const bytes = readBounded(path, MAX_BODY_BYTES);
  const source = text(bytes);
  if (source !== undefined) return source;
  const isWide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  throw new Fault("misuse", `--script ${path}: ${isWide ? "UTF-16 text; save it as UTF-8" : "not UTF-8 text"}`);
}

type Asked = { readonly shell: Shell; readonly notes: readonly string[] };

const BY_EXTENSION: Readonly<Record<string, Shell>> = {
  ".ps1": "powershell",
  ".cmd": "cmd",
  ".bat": "cmd",
  ".py": "python",
};
const BY_PROGRAM: Readonly<Record<string, Shell>> = {
  sh: "sh",
  dash: "sh",
  ash: "sh",
  bash: "bash",
  zsh: "zsh",
  python: "python",
  python3: "python",
  pwsh: "pwsh",
};

function shellFor(path: string, source: string): Asked {
  const line = /^\u{feff}?#!([^\r\n]*)/u.exec(source)?.[1];
  if (line === undefined) return { shell: BY_EXTENSION[extname(path).toLowerCase()] ?? "sh", notes: [] };
  const words = line.trim().split(/[ \t]+/);
  const named = basename(words[0] ?? "") === "env" ? words.slice(1) : words;
  const [program = "", ...options] = named;
  const shell = BY_PROGRAM[basename(program)];
  if (shell === undefined)
    throw new Fault("misuse", `--script ${path}: its first line asks for ${plain(line)}; say --shell`);
  if (options.length === 0) return { shell, notes: [] };
  return { shell, notes: [`"${plain(options.join(" "))}" of its first line is not passed on; use set or the like`] };
}

/** PowerShell needs the mark, to know UTF-8; the others would take it for a part of the first command. */
function withoutMark(source: string, shell: Shell): Changed {
  const isKept = shell === "powershell" || shell === "pwsh" || !source.startsWith(BYTE_ORDER_MARK);
  if (isKept) return { source, notes: [] };
  return { source: source.slice(1), notes: ["signed without its byte order mark"] };
}

function withLineEnds(source: string, shell: Shell): Changed {
  if (shell === "cmd") return forCmd(source);
  const windows = source.match(/\r\n/g)?.length ?? 0;
  if (windows === 0 || !["sh", "bash", "zsh"].includes(shell)) return { source, notes: [] };
  // Where all lines end so, an editor did it; where some do, somebody may have meant it.
  if (windows < (source.match(/\n/g)?.length ?? 0))
    return { source, notes: [`${windows} of its lines end in CR LF, which ${shell} takes as part of the line`] };
  return {
    source: source.replaceAll("\r\n", "\n"),
    notes: ["signed with LF in place of CR LF at the end of its lines"],
  };
}

/** cmd loses labels in a file whose lines end in LF alone. */
function forCmd(source: string): Changed {
  const ended = source.replaceAll(/\r?\n/g, "\r\n");
  if (ended === source) return { source, notes: [] };
  return { source: ended, notes: ["signed with CR LF in place of LF at the end of its lines"] };
}
