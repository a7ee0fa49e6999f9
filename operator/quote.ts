// A vector of words as one line for a shell, so that the shell takes it apart into the same words again.
import type { Shell } from "../protocol/job-body.ts";
import { Fault } from "./fault.ts";

/** Throws `misuse` where the shell has no quoting that is sure, or its language is no command line. */
export function quoteFor(shell: Shell, words: readonly string[]): string {
  switch (shell) {
    case "sh":
    case "bash":
    case "zsh":
      return words.map(quotePosix).join(" ");
    case "powershell":
    case "pwsh":
      // The call operator, since a quoted first word alone would be a string, not a command.
      return `& ${words.map((word) => `'${word.replace(/['\u2018\u2019\u201a\u201b]/g, "$&$&")}'`).join(" ")}`;
    case "cmd":
      return words.map(quoteCmd).join(" ");
    default:
      throw new Fault("misuse", `several words for --shell ${shell}: give one word, or --script FILE`);
  }
}

function quotePosix(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function quoteCmd(word: string): string {
  if (/["%!^\r\n]/.test(word)) throw new Fault("misuse", `cmd has no sure quoting for ${word}: give one word`);
  return /^[A-Za-z0-9_./:\\@+=-]+$/.test(word) ? word : `"${word}"`;
}
