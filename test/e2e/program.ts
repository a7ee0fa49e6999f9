// One of our programs as a process of a test: what it says is kept, and whoever started it ends it.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = join(import.meta.dirname, "../..");
const PATIENCE_MS = 15_000;
const POLL_MS = 20;

export class Program {
  readonly child: ChildProcess;
  readonly #closed: Promise<number | null>;
  stdout = "";
  stderr = "";

  constructor(name: "agent" | "operator" | "relay", args: readonly string[], env: Readonly<Record<string, string>>) {
    const { PATH = "", HOME = "" } = process.env;
    const main = join(ROOT, name, "main.ts");
    this.child = spawn(process.execPath, [main, ...args], {
      env: { PATH, HOME, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.#closed = new Promise((resolve) => this.child.once("close", resolve));
  }

  get isGone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Waits until its output has this, this many times, and answers the last match. */
  async says(pattern: RegExp, times = 1): Promise<RegExpExecArray> {
    const all = () => [...`${this.stdout}${this.stderr}`.matchAll(new RegExp(pattern, "g"))];
    await until(
      () => all().length >= times || this.isGone,
      `${pattern}`,
      () => this.stdout + this.stderr,
    );
    const match = all().at(times - 1);
    if (match === undefined) throw new Error(`ended without ${pattern}: ${this.stdout}${this.stderr}`);
    return match;
  }

  /** Waits for its end; its exit code, or null where a signal ended it. */
  ended(): Promise<number | null> {
    return this.#closed;
  }

  /** Waits for its end, which must be a good one. */
  async done(): Promise<this> {
    const code = await this.ended();
    if (code !== 0) throw new Error(`ended with ${code}: ${this.stderr}${this.stdout}`);
    return this;
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (!this.isGone) this.child.kill(signal);
    return await this.ended();
  }
}

/** Looks again and again until it is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, tail = () => ""): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`no ${what} within ${PATIENCE_MS} ms: ${tail()}`);
    await sleep(POLL_MS);
  }
}
