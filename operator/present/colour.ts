// Colours, on a terminal only, and never where NO_COLOR asks for none.
import { mayColour, type Output, type World } from "../world.ts";

const CODES = { red: 31, green: 32, bold: 1 } as const;

/** The text in this colour (ECMA-48 8.3.117) where the output takes colours, else as it is. */
export function coloured(world: World, output: Output, { as, text }: { as: keyof typeof CODES; text: string }): string {
  return mayColour(world, output) ? `\u001b[${CODES[as]}m${text}\u001b[0m` : text;
}
