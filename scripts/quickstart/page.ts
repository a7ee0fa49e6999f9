// What the quickstart writes: numbered steps, commands as one would type them, and what they answered.
import type { Writable } from "node:stream";

export type PageOptions = {
  readonly out: Writable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
};

const STYLES = { bold: 1, dim: 2, green: 32, red: 31 } as const;
const INDENT = "   ";

export class Page {
  readonly #out: Writable;
  readonly #hasColours: boolean;
  #step = 0;

  constructor({ out, env }: PageOptions) {
    this.#out = out;
    this.#hasColours = out.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  }

  line(text = ""): void {
    this.#out.write(`${text}\n`);
  }

  /** The next numbered step. */
  step(title: string): void {
    this.line(`\n${this.#paint("bold", `${++this.#step}. ${title}`)}`);
  }

  /** A sentence about what happens. */
  say(text: string): void {
    this.line(INDENT + this.#paint("dim", text));
  }

  command(line: string): void {
    this.line(INDENT + this.#paint("bold", `$ ${line}`));
  }

  /** What a program answered, as it is. */
  answer(text: string): void {
    for (const line of text.trimEnd().split("\n")) this.line(line === "" ? "" : INDENT + line);
  }

  good(text: string): void {
    this.line(INDENT + this.#paint("green", text));
  }

  /** The last word: done or failed. */
  end(text: string, style: "green" | "red"): void {
    this.line(`\n${this.#paint(style, text)}`);
  }

  #paint(style: keyof typeof STYLES, text: string): string {
    return this.#hasColours ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
  }
}

/** Words as a shell takes them apart again. */
export function typed(words: readonly string[]): string {
  return words.map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}
