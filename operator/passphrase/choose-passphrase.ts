// Choosing a new passphrase: generated words are offered first, weak ones are refused with reasons, and it is typed twice.
import { askSecret, askYes } from "../ask.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { MAX_PROMPT_TRIES } from "../limits.ts";
import { isAtTerminal, type World } from "../world.ts";
import { checkStrength, type PassphraseUse, strengthOf } from "./strength.ts";
import { generatedWords } from "./words.ts";

/** What the passphrase is for, and words that an attacker would try first. */
export type Rule = { readonly mode: PassphraseUse; readonly known: readonly string[] };

export type Choice = {
  /** As a script gave it; it is held to the same rule. */
  readonly given: string | undefined;
  readonly rule: Rule;
  /** What to call it at the prompt, such as `New passphrase`. */
  readonly title: string;
};

/** Throws `passphrase-weak`, `passphrase-differs`, or `passphrase-needed` where nobody can be asked. */
export async function choosePassphrase(world: World, { given, rule, title }: Choice): Promise<string> {
  if (given !== undefined) {
    await checkStrength(given, rule);
    return given;
  }
  if (!isAtTerminal(world)) throw new Fault("passphrase-needed", "standard input is not a terminal");
  say(world, "Six words that were drawn for you and are strong enough; write them down until you know them:\n");
  say(world, `    ${await generatedWords(world.random)}\n`);
  say(world, "Type these, or a passphrase of your own.");
  const typed = await typedStrong(world, rule, title);
  if ((await askSecret(world, "The same once more:")) !== typed) throw new Fault("passphrase-differs", "");
  return typed;
}

/** Asks until a passphrase is strong enough, and says each time why one is not. */
async function typedStrong(world: World, rule: Rule, title: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const typed = await askSecret(world, `${title}:`);
    const { isStrong, why } = await strengthOf(typed, rule);
    if (isStrong) return typed;
    if (attempt >= MAX_PROMPT_TRIES) throw new Fault("passphrase-weak", why.join("; "));
    say(world, `Too easy to guess: ${why.join("; ")}.`);
  }
}

/** Says what cannot be undone, and has it acknowledged. Throws `acknowledge-needed` or `not-confirmed`. */
export async function acknowledge(
  world: World,
  { lines, acknowledged }: { readonly lines: readonly string[]; readonly acknowledged: boolean | undefined },
): Promise<void> {
  for (const line of lines) say(world, line);
  if (acknowledged === true) return;
  if (!isAtTerminal(world)) throw new Fault("acknowledge-needed", "");
  if (!(await askYes(world, "I have read this, and will keep the passphrase.")))
    throw new Fault("not-confirmed", "nothing was made");
}
