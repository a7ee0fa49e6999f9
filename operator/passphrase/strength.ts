// Whether a passphrase is hard enough to guess, and why not, in words.
import { Fault } from "../fault.ts";

export type KeyMode = "setup" | "passphrase";
/** `file`: of a recovery file, at which whoever finds it can guess as fast as they can. */
export type PassphraseUse = KeyMode | "file";

/** What a passphrase must reach: with a setup secret a thief of it must guess, without one the relay can guess at its leisure. */
const RULES = {
  setup: { minChars: 8, minGuesses: 1e8 },
  passphrase: { minChars: 15, minGuesses: 1e18 },
  file: { minChars: 8, minGuesses: 1e10 },
} as const;

/** Beyond this the estimator adds nothing and takes long. */
const MAX_ESTIMATED_CHARS = 128;

/** What the estimator says of a passphrase. `why` has a sentence for each reason against it, and then advice. */
export type Strength = { readonly isStrong: boolean; readonly guesses: number; readonly why: readonly string[] };

/**
 * Judges a typed passphrase. `known` are words that an attacker would try first: the organisation's, the person's and
 * the relay's names.
 */
export async function strengthOf(
  passphrase: string,
  { mode, known }: { readonly mode: PassphraseUse; readonly known: readonly string[] },
): Promise<Strength> {
  const { minChars, minGuesses } = RULES[mode];
  const chars = Array.from(passphrase).length;
  const { guesses, feedback } = await estimated(passphrase, known);
  const tooShort = chars < minChars ? [`it has ${chars} characters, at least ${minChars} are needed`] : [];
  const needed = `at least ${powerOfTen(minGuesses)} are needed`;
  const tooEasy = guesses < minGuesses ? [`it is found within about ${powerOfTen(guesses)} guesses, ${needed}`] : [];
  const reasons = [...tooShort, ...tooEasy];
  if (reasons.length === 0) return { isStrong: true, guesses, why: [] };
  const advice = [feedback.warning, ...feedback.suggestions].filter((line): line is string => Boolean(line));
  return { isStrong: false, guesses, why: [...reasons, ...advice] };
}

/** Throws `passphrase-weak` with the reasons. */
export async function checkStrength(
  passphrase: string,
  rule: { readonly mode: PassphraseUse; readonly known: readonly string[] },
): Promise<void> {
  const { isStrong, why } = await strengthOf(passphrase, rule);
  if (!isStrong) throw new Fault("passphrase-weak", why.join("; "));
}

/** Words of names, as an attacker would take them apart; the product's name among them. */
function knownWords(names: readonly string[]): readonly string[] {
  const parts = names.flatMap((name) => [name, ...name.split(/[^\p{L}\p{N}]+/u)]);
  return [...new Set([...parts, "keybound"])].filter((part) => part.length > 1);
}

async function estimated(passphrase: string, known: readonly string[]) {
  const [{ ZxcvbnFactory }, common, english] = await Promise.all([
    import("@zxcvbn-ts/core"),
    import("@zxcvbn-ts/language-common"),
    import("@zxcvbn-ts/language-en"),
  ]);
  const estimator = new ZxcvbnFactory({
    translations: english.translations,
    graphs: common.adjacencyGraphs,
    dictionary: { ...common.dictionary, ...english.dictionary },
  });
  return estimator.check(passphrase.slice(0, MAX_ESTIMATED_CHARS), [...knownWords(known)]);
}

function powerOfTen(guesses: number): string {
  return guesses < 1000 ? String(Math.max(1, Math.round(guesses))) : `10^${Math.floor(Math.log10(guesses))}`;
}
