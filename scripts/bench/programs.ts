/** Processes of a benchmark: started with a clean environment, read through their log files, ended by their own pid. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export type Environment = Readonly<Record<string, string>>;

const PATIENCE_MS = 60_000;
const POLL_MS = 10;
const running = new Set<ChildProcess>();

/** Ends what still runs, at once; for the end of the bench itself. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** A program on our Node whose output goes to a file, so that its lines wake nobody while something is measured. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #log: string;

  constructor(args: readonly string[], { log, env = {} }: { readonly log: string; readonly env?: Environment }) {
    const file = openSync(log, "a");
    this.#log = log;
    this.child = spawn(process.execPath, [...args], { stdio: ["ignore", file, file], env: cleanEnvironment(env) });
    closeSync(file);
    keep(this.child);
  }

  get pid(): number {
    return pidOf(this.child);
  }

  /** The first line of its log that fits, waiting for it. Throws what it logged where it ends first. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    for (const until = performance.now() + PATIENCE_MS; performance.now() < until; await sleep(POLL_MS)) {
      const found = pattern.exec(readFileSync(this.#log, "utf8"));
      if (found !== null) return found;
      if (hasEnded(this.child)) break;
    }
    throw new Error(`no ${pattern} in: ${readFileSync(this.#log, "utf8").slice(-2000)}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return endOf(this.child);
  }
}

/** A helper process of ours that takes requests and gives answers, one after the other. */
export class Helper implements AsyncDisposable {
  readonly child: ChildProcess;

  constructor(path: string) {
    this.child = fork(path, [], { execArgv: [], env: cleanEnvironment({}) });
    keep(this.child);
  }

  /** The number that it answers, mostly milliseconds. */
  ask(request: object): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const onExit = () => reject(new Error(`a helper ended at ${JSON.stringify(request)}`));
    this.child.once("exit", onExit);
    this.child.once("message", (answer) => {
      this.child.off("exit", onExit);
      if (typeof answer === "number") resolve(answer);
      else reject(new Error(`a helper answered ${JSON.stringify(answer)}`));
    });
    this.child.send(request);
    return promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return endOf(this.child);
  }
}

export type Ran = { readonly ms: number; readonly stdout: string };

/** Runs a program on our Node from spawn to its end. Throws where it does not end with 0. */
export async function runToEnd(args: readonly string[], env: Environment = {}): Promise<Ran> {
  const start = performance.now();
  const child = spawn(process.execPath, [...args], { env: cleanEnvironment(env), stdio: ["ignore", "pipe", "pipe"] });
  keep(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  const ms = performance.now() - start;
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
  return { ms, stdout };
}

/** Milliseconds from spawn to the first output that holds this word; the program is then asked to end. */
export async function timeToOutput(args: readonly string[], word: string, env: Environment = {}): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [...args], {
    env: cleanEnvironment(env),
    stdio: ["ignore", "pipe", "inherit"],
  });
  keep(child);
  const seen = Promise.withResolvers<number>();
  let text = "";
  child.once("exit", () => seen.reject(new Error(`${args.join(" ")} ended without ${word}: ${text}`)));
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    if (text.includes(word)) seen.resolve(performance.now() - start);
  });
  try {
    return await seen.promise;
  } finally {
    await endOf(child);
  }
}

function keep(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
}

async function endOf(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("a program that did not start");
  return pid;
}

/** Nothing of ours reaches what is measured, neither NODE_OPTIONS nor a compile cache. */
function cleanEnvironment(env: Environment): Environment {
  const { PATH = "", HOME = "" } = process.env;
  return { PATH, HOME, ...env };
}
