// Where a passphrase comes from: a file, a descriptor, or a person at a terminal; never an argument.
import { text } from "../../protocol/bytes.ts";
import { normalPassphrase } from "../../protocol/passphrase.ts";
import { askSecret } from "../ask.ts";
import type { CommonOptions } from "../desk.ts";
import { Fault } from "../fault.ts";
import { readBounded } from "../home/stored-file.ts";
import { MAX_PASSPHRASE_BYTES } from "../limits.ts";
import { isAtTerminal, type World } from "../world.ts";

/** The passphrase that a script gives; `undefined` where a person is to be asked. */
export function givenPassphrase({ passphraseFile, passphraseFd }: CommonOptions): string | undefined {
  const source = passphraseFile ?? passphraseFd;
  if (source === undefined) return undefined;
  const typed = text(readBounded(source, MAX_PASSPHRASE_BYTES));
  // One line break at the end is the editor's or echo's.
  return checked(typed?.replace(/\r?\n$/, ""));
}

/** Whether a script gives it, and nobody types. */
export function isGiven({ passphraseFile, passphraseFd }: CommonOptions): boolean {
  return passphraseFile !== undefined || passphraseFd !== undefined;
}

/** Asks once, hidden, unless a script gives it. Throws `passphrase-needed` or `passphrase-odd`. */
export async function readPassphrase(world: World, options: CommonOptions, message = "Passphrase:"): Promise<string> {
  const given = givenPassphrase(options);
  if (given !== undefined) return given;
  if (!isAtTerminal(world)) throw new Fault("passphrase-needed", "standard input is not a terminal");
  return checked(await askSecret(world, message));
}

function checked(typed: string | undefined): string {
  if (typed === undefined || normalPassphrase(typed) === undefined) throw new Fault("passphrase-odd", "");
  return typed;
}
