// A person at a terminal: types, and reads the screen. The program runs in a real pseudo-terminal.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const BRIDGE = join(import.meta.dirname, "in-terminal.py");
const PATIENCE_MS = 40_000;
/** A prompt is drawn before the program reads: who types in between is not heard. */
const REACTION_MS = 150;
// Cursor movements, colours and the like: a person does not see them as text.
// oxlint-disable-next-line no-control-regex
const CONTROL = /\u001b\[[0-9;?]*[A-Za-z]|\u001b[=>]|\r/g;

export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #screen = "";
  #read = 0;

  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    const { PATH = "", HOME = "" } = process.env;
    this.#child = spawn("python3", [BRIDGE, ...command], { env: { PATH, HOME, TERM: "xterm", NO_COLOR: "1", ...env } });
    this.#child.stdout?.setEncoding("utf8").on("data", (seen: string) => (this.#screen += seen.replace(CONTROL, "")));
    this.#ended = new Promise((resolve) => this.#child.once("close", resolve));
  }

  /** Everything that was on the screen. */
  get screen(): string {
    return this.#screen;
  }

  /** Waits until this is on the screen, after what was seen before, and answers the match. */
  async sees(pattern: RegExp | string): Promise<RegExpExecArray> {
    const wanted = typeof pattern === "string" ? new RegExp(RegExp.escape(pattern)) : pattern;
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const match = wanted.exec(this.#screen.slice(this.#read));
      if (match !== null) {
        this.#read += match.index + match[0].length;
        return match;
      }
      if (performance.now() > deadline || this.#child.exitCode !== null) {
        throw new Error(`never saw ${wanted}; on the screen:\n${this.#screen.slice(this.#read)}`);
      }
      await sleep(20);
    }
  }

  /** Types a line. */
  async types(line: string): Promise<void> {
    await sleep(REACTION_MS);
    this.#child.stdin?.write(`${line}\r`);
  }

  /** Waits for a prompt and answers it. */
  async answers(prompt: RegExp | string, line: string): Promise<void> {
    await this.sees(prompt);
    await this.types(line);
  }

  async pressesCtrlC(): Promise<void> {
    await sleep(REACTION_MS);
    this.#child.stdin?.write("\u0003");
  }

  /** Waits for the program's end; its exit code. */
  async ended(): Promise<number | null> {
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGTERM");
    await this.#ended;
  }
}
