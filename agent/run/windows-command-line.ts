// Words as one Windows command line, which is all that a process gets there: each program takes it apart by itself.
import { refuse } from "../../protocol/refusal.ts";

/** For programs that read their line as the C runtime and CommandLineToArgvW do: nearly all, PowerShell and Python among them. */
export function commandLine(program: string, args: readonly string[]): string {
  return [`"${program}"`, ...args.map(quoteWord)].join(" ");
}

/** Backslashes mean themselves unless a quotation mark follows; then each counts half, and one more makes the mark a letter. */
function quoteWord(word: string): string {
  if (/^[^\s"]+$/.test(word)) return word;
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, "$&$&")}"`;
}

/**
 * cmd's own line for a batch file and its arguments. `/s`: the outermost marks, and no others, are taken off; `/d`: nothing
 * out of the registry runs first; `/v:off`: an exclamation mark is a letter. Throws `platform-lacks` for a line break, which
 * ends cmd's line wherever it stands.
 */
export function batchLine(cmd: string, { source, args }: { source: string; args: readonly string[] }): string {
  return `"${cmd}" /d /q /e:on /v:off /s /c "${[`"${source}"`, ...args.map(quoteBatchWord)].join(" ")}"`;
}

/**
 * Between marks nothing is special to cmd but the mark, which is doubled, and the percent sign: there is no escape for it on
 * a line, but `%cd:~,%` is a variable's substring of no length, and after it the sign has lost its partner.
 */
function quoteBatchWord(word: string): string {
  if (/[\r\n]/.test(word)) throw refuse("platform-lacks", "an argument with a line break for cmd");
  if (/^[A-Za-z0-9_.:/\\@+-]*[A-Za-z0-9_.:/@+-]$/.test(word)) return word;
  return `"${word
    .replace(/(\\*)"/g, '$1$1""')
    .replace(/\\+$/, "$&$&")
    .replaceAll("%", "%%cd:~,%")}"`;
}
