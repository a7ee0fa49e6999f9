// Runs one verified job: its process, its output, its limits, its end. Nothing here decides whether it may run.
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fromBase64url } from "../../protocol/bytes.ts";
import type { KeptStream } from "../../protocol/output.ts";
import type { Outcome, Stream } from "../../protocol/outcome.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import type { Runnable } from "../../protocol/verify-job.ts";
import { KILL_WAIT_MS, PIPE_WAIT_MS } from "../limits.ts";
import { type Account, type AgentAccount, findAccount } from "./account.ts";
import type { Containment, Enclosure } from "./containment.ts";
import type { WindowsFolders } from "./environment.ts";
import { findInterpreter, type Interpreter } from "./interpreter.ts";
import { KeptOutput } from "./kept-output.ts";
import { launchOf } from "./launch.ts";
import { Pipes } from "./pipes.ts";
import { placeSource, type Source } from "./source-file.ts";

/** The machine as far as running a job needs it. */
export type RunEnvironment = {
  readonly platform: NodeJS.Platform;
  readonly account: AgentAccount;
  readonly windows: WindowsFolders;
  readonly containment: Containment;
  /** Folder for sources, private to the agent. */
  readonly jobs: string;
};

/** A job that this machine can run: interpreter and account were found before it was claimed. */
export type PreparedJob = {
  readonly runnable: Runnable<"run">;
  readonly interpreter: Interpreter;
  readonly account: Account;
};

export type RunResult = {
  readonly outcome: Outcome;
  readonly kept: readonly KeptStream[];
  readonly contained: Receipt["contained"];
  readonly interpreter: string;
};

export type EndCause = Extract<Outcome, { type: "cancelled" }>["by"];

export type RunningJob = {
  readonly done: Promise<RunResult>;
  /** Ends the job's tree; the first cause that ends a job is its outcome. */
  readonly end: (by: EndCause) => void;
  /** Stops reading what the job writes, so that it stops when its pipes are full; or goes on. After its exit all is read. */
  readonly hold: (isHeld: boolean) => void;
};

/** The bytes are the reader's own from then on. */
export type OnOutput = (stream: Stream, bytes: Uint8Array) => void;

/** Throws `shell-absent`, `user-absent`, `user-denied` or `platform-lacks`. */
export function prepareJob(runnable: Runnable<"run">, { platform, account, windows }: RunEnvironment): PreparedJob {
  return {
    runnable,
    interpreter: findInterpreter(runnable.body, platform, windows.systemRoot),
    account: findAccount(runnable.body.user, account, platform),
  };
}

/** Starts the job. Its failure to start is an outcome as well; `done` does not reject. */
export function runJob(prepared: PreparedJob, environment: RunEnvironment, onOutput: OnOutput): RunningJob {
  const stop = Promise.withResolvers<Outcome>();
  const pipes = new Pipes();
  return {
    done: run(prepared, { environment, onOutput, stop, pipes }),
    end: (by) => stop.resolve({ type: "cancelled", by }),
    hold: (isHeld) => pipes.hold(isHeld),
  };
}

type RunContext = {
  readonly environment: RunEnvironment;
  readonly onOutput: OnOutput;
  readonly stop: PromiseWithResolvers<Outcome>;
  readonly pipes: Pipes;
};

async function run(prepared: PreparedJob, { environment, onOutput, stop, pipes }: RunContext): Promise<RunResult> {
  const { body, job } = prepared.runnable;
  const kept = [
    new KeptOutput("stdout", body.limits.outputBytes),
    new KeptOutput("stderr", body.limits.outputBytes),
  ] as const;
  const source = sourceOf(prepared, environment, job.manifest.job);
  const ended = (outcome: Outcome, contained: Receipt["contained"]): RunResult => ({
    outcome,
    contained,
    kept: kept.map((stream) => stream.kept()),
    interpreter: prepared.interpreter.path,
  });
  const enclosure = environment.containment.open(job.manifest.job, body.limits);
  try {
    const child = start(prepared, { environment, source, enclosure });
    const first = firstCause(child, body.limits.timeMs, stop);
    const closed = collect(child, kept, onOutput);
    pipes.of(child);
    feed(child, body.stdin);
    const outcome = await first;
    if (child.pid !== undefined) await endAll(enclosure, child, closed);
    return ended(outcome, enclosure.contained());
  } catch (error) {
    return ended(notStarted(error), "yes");
  } finally {
    enclosure.close();
    source?.remove();
  }
}

function sourceOf(
  { runnable, interpreter, account }: PreparedJob,
  { jobs, platform }: RunEnvironment,
  name: string,
): Source | undefined {
  const { source } = runnable.body;
  return source === undefined
    ? undefined
    : placeSource({ source, account, jobs, name, extension: interpreter.extension }, platform);
}

function start(
  prepared: PreparedJob,
  { environment, source, enclosure }: { environment: RunEnvironment; source: Source | undefined; enclosure: Enclosure },
): ChildProcess {
  try {
    return enclosure.spawn(launchOf(prepared, environment, source));
  } finally {
    source?.release();
  }
}

/** Exit, time limit or a stop from outside: the one that comes first is how the job ended. */
function firstCause(child: ChildProcess, timeMs: number, stop: PromiseWithResolvers<Outcome>): Promise<Outcome> {
  const timer = setTimeout(() => stop.resolve({ type: "timed-out", afterMs: timeMs }), timeMs);
  child.once("error", (error) => stop.resolve(notStarted(error)));
  child.once("exit", (code, signal) => stop.resolve(exitOutcome(code, signal)));
  return stop.promise.finally(() => clearTimeout(timer));
}

function exitOutcome(code: number | null, signal: NodeJS.Signals | null): Outcome {
  if (signal !== null) return { type: "signalled", signal };
  return { type: "exited", code: code ?? 0 };
}

function notStarted(error: unknown): Outcome {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN";
  return { type: "not-started", error: /^[A-Z0-9_]{1,40}$/.test(code) ? code : "UNKNOWN" };
}

/** Keeps and passes on what the job writes; settles when both pipes are closed. */
async function collect(
  child: ChildProcess,
  [stdout, stderr]: readonly [KeptOutput, KeptOutput],
  onOutput: OnOutput,
): Promise<void> {
  const closed = Promise.withResolvers<void>();
  child.once("close", () => closed.resolve());
  child.once("error", () => closed.resolve());
  const listen = (stream: Stream, keep: KeptOutput) => (chunk: Buffer) => {
    keep.add(chunk);
    onOutput(stream, chunk);
  };
  child.stdout?.on("data", listen("stdout", stdout));
  child.stderr?.on("data", listen("stderr", stderr));
  return closed.promise;
}

function feed(child: ChildProcess, stdin: string | undefined): void {
  if (stdin === undefined) return;
  // A job may end without reading its input: the broken pipe is not our matter.
  child.stdin?.once("error", () => undefined);
  child.stdin?.end(fromBase64url(stdin) ?? new Uint8Array(0));
}

/** After the cause: what is left of the tree is ended, then the pipes are let go of even if something still holds them. */
async function endAll(enclosure: Enclosure, child: ChildProcess, closed: Promise<void>): Promise<void> {
  const waiting = new AbortController();
  const isClosed = await Promise.race([
    closed.then(() => true),
    sleep(child.exitCode === null && child.signalCode === null ? 0 : PIPE_WAIT_MS, false, { signal: waiting.signal }),
  ]);
  waiting.abort();
  await enclosure.end();
  if (!isClosed) await Promise.race([closed, sleep(KILL_WAIT_MS, undefined, { ref: false })]);
  child.stdout?.destroy();
  child.stderr?.destroy();
}
