// Text of strangers on a terminal: nothing in it may move the cursor, change colours or reorder what is read.

const CONTROL = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{2069}\u{feff}]/gu;
/** Control characters but for tab and line feed, and the marks that reorder what is read. */
const TERMINAL_CONTROL = /(?![\t\n])[\p{Cc}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}]/gu;

/** One line of text with control and reordering characters written out, as `\u{1b}`. */
export function plain(text: string): string {
  return text.replace(CONTROL, written);
}

/** A job's output for a terminal: lines and tabs stay, a carriage return before a line feed goes, the rest is written out. */
export function neutral(output: string): string {
  return output.replace(/\r+\n/g, "\n").replace(TERMINAL_CONTROL, written);
}

function written(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
