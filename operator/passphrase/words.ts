// Generated passphrases: six words of a list that our strength estimator ships, drawn evenly.
import type { Random } from "../../protocol/seal.ts";

/** Six of 7,776 words are 77.5 bits. */
const WORDS = 6;

/** Six lower-case words with spaces between, such as `abdomen stunned pusher zoning abide wagon`. */
export async function generatedWords(random: Random): Promise<string> {
  const { dictionary } = await import("@zxcvbn-ts/language-common");
  // The diceware list of 7,776 words; kept to plain words, so that they are read out and typed without doubt.
  const words = dictionary["diceware-common"].filter((word) => /^[a-z]{3,9}$/.test(word));
  return Array.from({ length: WORDS }, () => words[evenly(random, words.length)]).join(" ");
}

/** A whole number below `bound`, each as likely: draws that would favour the first ones are thrown away. */
function evenly(random: Random, bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const drawn = random(4).reduce((sum, byte) => sum * 256 + byte, 0);
    if (drawn < limit) return drawn % bound;
  }
}
