// Writing output of jobs: as it is into a pipe, and on a terminal without what would steer the terminal.
import type { KeptStream } from "../../protocol/output.ts";
import type { Output } from "../world.ts";
import { neutral } from "./escape.ts";
import { restOf } from "./rest.ts";

/** Whole output of one stream to one place. */
export class RawWriter {
  readonly #output: Output;
  readonly #decoder = new TextDecoder("utf-8");
  #endsLine = true;

  constructor(output: Output) {
    this.#output = output;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#endsLine = bytes.at(-1) === 0x0a;
    if (this.#output.isTTY === true) this.#output.write(neutral(this.#decoder.decode(bytes, { stream: true })));
    else this.#output.write(bytes);
  }

  /** The rest of a signed stream, after what was written already; answers how many bytes nobody kept. */
  finish(kept: KeptStream, written: number): number {
    const { before, left, after } = restOf(kept, written);
    this.write(before);
    this.write(after);
    return left;
  }

  /** On a terminal, what comes next starts on a line of its own. */
  endLine(): void {
    if (!this.#endsLine && this.#output.isTTY === true) this.#output.write("\n");
    this.#endsLine = true;
  }
}

/** Output line by line, each with the device's name before it; a line is written when it is whole. */
export class LineWriter {
  readonly #output: Output;
  readonly #prefix: string;
  #pending: Uint8Array[] = [];

  constructor(output: Output, prefix: string) {
    this.#output = output;
    this.#prefix = prefix;
  }

  write(bytes: Uint8Array): void {
    let from = 0;
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, from)) {
      this.#writeLine(bytes.subarray(from, at));
      from = at + 1;
    }
    if (from < bytes.length) this.#pending.push(bytes.slice(from));
  }

  finish(kept: KeptStream, written: number): number {
    const { before, left, after } = restOf(kept, written);
    this.write(before);
    this.write(after);
    this.endLine();
    return left;
  }

  endLine(): void {
    if (this.#pending.length > 0) this.#writeLine(new Uint8Array(0));
  }

  #writeLine(last: Uint8Array): void {
    const line = Buffer.concat([...this.#pending.splice(0), last]);
    const shown = this.#output.isTTY === true ? Buffer.from(neutral(line.toString("utf8"))) : line;
    this.#output.write(Buffer.concat([Buffer.from(this.#prefix), shown, Buffer.from("\n")]));
  }
}
