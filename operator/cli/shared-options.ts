// What all commands' help and options have in common.
import type { Command } from "commander";
import { descriptor } from "../quantity.ts";

export type SetExitCode = (code: number) => void;

/** Options that every command with a home takes; those that need the key take a passphrase as well. */
export function withCommon(command: Command, { passphrase = true, yes = false } = {}): Command {
  command.option("--home <dir>", "the operator's home folder (KEYBOUND_HOME)");
  command.option("--json", "results as JSON on stdout");
  if (yes) command.option("-y, --yes", "do it without asking");
  if (!passphrase) return command;
  return command
    .option("--passphrase-file <file>", "read the passphrase from this file")
    .option("--passphrase-fd <n>", "read the passphrase from this open descriptor", descriptor);
}

/** Options of every command that makes a new key. */
export function withNewKey(command: Command, { mode = true } = {}): Command {
  if (mode)
    command.option(
      "--passphrase-only",
      "derive the key from the passphrase alone: no setup code, a far stronger passphrase",
    );
  return command
    .option("--acknowledge", "I have read that a lost passphrase cannot be restored")
    .option("--recovery-file <file>", "write a recovery file here")
    .option("--recovery-passphrase-file <file>", "read the recovery file's own passphrase from this file")
    .option("--no-recovery-file", "make no recovery file");
}

/** Ends a command's help in a session, as a user would type it. */
export function addExample(command: Command, lines: readonly string[]): void {
  command.addHelpText("after", `\nExample:\n${lines.map((line) => `  $ ${line}`).join("\n")}`);
}
