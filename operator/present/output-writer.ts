// Writing output of jobs: as it is into a pipe, and on a terminal without what would steer the terminal.
import type { KeptStream } from "../../protocol/output.ts";
import type { Output } from "../world.ts";
import { neutral } from "./escape.ts";
import { OutputText } from "./output-text.ts";
import { restOf } from "./rest.ts";

/** Whole output of one stream to one place. */
export class RawWriter {
  readonly #output: Output;
  readonly #text = new OutputText();
  readonly #decoder = new TextDecoder("utf-8");
  #endsLine = true;

  constructor(output: Output) {
    this.#output = output;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#output.isTTY !== true) this.#output.write(bytes);
    else this.#show(this.#decoder.decode(this.#text.push(bytes), { stream: true }));
  }

  /** The rest of a signed stream, after what was written already; answers how many bytes nobody kept. */
  finish(kept: KeptStream, written: number): number {
    const { before, left, after } = restOf(kept, written);
    this.write(before);
    this.#text.skip(left);
    this.write(after);
    return left;
  }

  /** On a terminal, what comes next starts on a line of its own. */
  endLine(): void {
    if (this.#output.isTTY !== true) return;
    this.#show(this.#decoder.decode(this.#text.end()));
    if (!this.#endsLine) this.#output.write("\n");
    this.#endsLine = true;
  }

  #show(decoded: string): void {
    if (decoded === "") return;
    this.#endsLine = decoded.endsWith("\n");
    this.#output.write(neutral(decoded));
  }
}

/** Output line by line, each with the device's name before it; a line is written when it is whole. */
export class LineWriter {
  readonly #output: Output;
  readonly #prefix: string;
  readonly #text = new OutputText();
  #pending: Uint8Array[] = [];

  constructor(output: Output, prefix: string) {
    this.#output = output;
    this.#prefix = prefix;
  }

  write(bytes: Uint8Array): void {
    this.#add(this.#text.push(bytes));
  }

  finish(kept: KeptStream, written: number): number {
    const { before, left, after } = restOf(kept, written);
    this.write(before);
    this.#text.skip(left);
    this.write(after);
    this.endLine();
    return left;
  }

  endLine(): void {
    this.#add(this.#text.end());
    if (this.#pending.length > 0) this.#writeLine(new Uint8Array(0));
  }

  #add(bytes: Uint8Array): void {
    let from = 0;
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, from)) {
      this.#writeLine(bytes.subarray(from, at));
      from = at + 1;
    }
    if (from < bytes.length) this.#pending.push(bytes.slice(from));
  }

  #writeLine(last: Uint8Array): void {
    const line = Buffer.concat([...this.#pending.splice(0), last]);
    const shown = this.#output.isTTY === true ? Buffer.from(neutral(line.toString("utf8"))) : line;
    this.#output.write(Buffer.concat([Buffer.from(this.#prefix), shown, Buffer.from("\n")]));
  }
}
