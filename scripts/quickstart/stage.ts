// Where the quickstart plays: a temporary folder and the processes in it, which all end and go with it, whatever happens.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = join(import.meta.dirname, "../..");
export const BIN = join(ROOT, "bin");

const MAINS = { keybound: "operator", "keybound-agent": "agent", "keybound-relay": "relay" } as const;
export type Program = keyof typeof MAINS;

/** `shown` is what a terminal would show: both outputs, as they came. */
export type Ran = { readonly code: number | null; readonly stdout: string; readonly shown: string };

/** A program that goes on until it is ended. Its standard output is `name.out`, its standard error `name.err`. */
export type Server = { readonly name: string; readonly child: ChildProcess };

/** Something of the story was not so. The message is a sentence. */
export class StoryFailed extends Error {
  override readonly name = "StoryFailed";
}

/** A command that has not ended by then hangs. */
const COMMAND_MS = 30_000;
/** An agent ends its jobs and sends their receipts within 8 s. */
const END_MS = 10_000;
const POLL_MS = 20;
const TAIL_LINES = 8;

export class Stage implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "keybound-quickstart-"));
  readonly #signal: AbortSignal;
  readonly #env: NodeJS.ProcessEnv;
  readonly #children = new Set<ChildProcess>();
  readonly #servers: Server[] = [];
  readonly #onExit = () => this.#clear();

  /** `signal` ends whatever is waited for. */
  constructor(signal: AbortSignal, env: Readonly<Record<string, string | undefined>>) {
    this.#signal = signal;
    const { KEYBOUND_LOG_LEVEL: _level, FORCE_COLOR: _colour, ...rest } = env;
    // Twenty starts of one program: each but the first takes its compiled code from the cache.
    const cache = join(this.folder, "compiled");
    this.#env = { ...rest, KEYBOUND_HOME: join(this.folder, "home"), NODE_COMPILE_CACHE: cache, NO_COLOR: "1" };
    // Last resort, where even the clearing up below could not run.
    process.once("exit", this.#onExit);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  read(name: string): string {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8") : "";
  }

  /** Runs a program to its end in the folder. */
  async run(program: Program, args: readonly string[]): Promise<Ran> {
    this.#signal.throwIfAborted();
    const child = this.#spawn(program, args, ["ignore", "pipe", "pipe"]);
    const limit = AbortSignal.any([this.#signal, AbortSignal.timeout(COMMAND_MS)]);
    const stop = () => void child.kill("SIGTERM");
    limit.addEventListener("abort", stop, { once: true });
    try {
      const ran = await outputOf(child);
      this.#signal.throwIfAborted();
      if (limit.aborted) throw new StoryFailed(`${program} ${args[0]} did not end within ${COMMAND_MS / 1000} s`);
      return ran;
    } finally {
      limit.removeEventListener("abort", stop);
    }
  }

  /** Starts a program that goes on. */
  start(name: string, program: Program, args: readonly string[]): Server {
    this.#signal.throwIfAborted();
    const [out, err] = [openSync(this.path(`${name}.out`), "a", 0o600), openSync(this.path(`${name}.err`), "a", 0o600)];
    try {
      const server = { name, child: this.#spawn(program, args, ["ignore", out, err]) };
      this.#servers.push(server);
      return server;
    } finally {
      closeSync(out);
      closeSync(err);
    }
  }

  /** Ends a program as a service manager does, and waits until it is gone. */
  async end({ child, name }: Server): Promise<void> {
    child.kill("SIGTERM");
    await this.until(() => isGone(child), `${name} to end`, END_MS);
  }

  /** Looks again and again until it is so. Throws `StoryFailed` once the time is over. */
  async until(isSo: () => boolean | Promise<boolean>, what: string, timeoutMs = 10_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new StoryFailed(`waited ${timeoutMs / 1000} s for ${what}, in vain`);
      await sleep(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  /** The last lines of what each program that goes on has said. */
  tails(): readonly { readonly file: string; readonly lines: readonly string[] }[] {
    const names = new Set(this.#servers.map(({ name }) => name));
    const files = [...names].flatMap((name) => [`${name}.out`, `${name}.err`]);
    const tails = files.map((file) => ({ file, lines: this.read(file).trimEnd().split("\n").slice(-TAIL_LINES) }));
    return tails.filter(({ lines }) => lines.some((line) => line !== ""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Newest first: agents say farewell to a relay that is still there.
    for (const child of [...this.#children].toReversed()) await endChild(child);
    this.#clear();
    process.off("exit", this.#onExit);
  }

  #spawn(program: Program, args: readonly string[], stdio: ("ignore" | "pipe" | number)[]): ChildProcess {
    const main = join(ROOT, MAINS[program], "main.ts");
    const child = spawn(process.execPath, [main, ...args], { cwd: this.folder, env: this.#env, stdio });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  #clear(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function outputOf(child: ChildProcess): Promise<Ran> {
  let stdout = "";
  let shown = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    shown += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (shown += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, shown }));
  });
}

function isGone({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function endChild(child: ChildProcess): Promise<void> {
  if (isGone(child)) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await gone;
  clearTimeout(late);
}
