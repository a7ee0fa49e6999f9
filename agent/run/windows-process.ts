// A job's first process on Windows, as the launcher tells of it: looks to the runner like a child of its own.
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import type { Readable, Writable } from "node:stream";
import { refuse } from "../../protocol/refusal.ts";
import type { JobProcess } from "./containment.ts";
import { type LauncherReport, ReportReader, wordOf } from "./windows-launcher.ts";

type Events = { exit: [code: number | null, signal: NodeJS.Signals | null]; close: []; error: [Error] };

export class WindowsProcess extends EventEmitter<Events> implements JobProcess {
  readonly pid: number | undefined;
  readonly stdio: readonly unknown[];
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  signalCode: NodeJS.Signals | null = null;
  exitCode: number | null = null;
  /** Whether no process of the job is there: it has not begun, or has ended wholly. */
  isEmpty = false;
  /** Whether the launcher has gone before it said so. */
  isForsaken = false;
  readonly #deaf = Promise.withResolvers<void>();
  readonly #reader = new ReportReader();
  readonly #empty = Promise.withResolvers<void>();
  #hasStarted = false;
  #isOver = false;

  constructor(launcher: ChildProcess) {
    super();
    const { pid, stdin, stdout, stderr } = launcher;
    this.pid = pid;
    this.stdio = [stdin, stdout, stderr];
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    launcher.once("error", (error) => this.#fail(error));
    // Not when the launcher ends: what it said last may still be on its way.
    launcher.stdio[4]
      ?.on("data", (piece: Uint8Array) => this.#hear(piece))
      .on("error", () => undefined)
      .once("close", () => this.#ended());
    let open = 2;
    for (const stream of [stdout, stderr]) stream?.once("close", () => (open -= 1) === 0 && this.emit("close"));
  }

  /** Resolves when no process of the job is left, or nobody can tell any more. */
  empty(): Promise<void> {
    return this.#empty.promise;
  }

  /** Resolves when the launcher says that there is nobody to be asked. */
  deaf(): Promise<void> {
    return this.#deaf.promise;
  }

  #hear(piece: Uint8Array): void {
    try {
      for (const report of this.#reader.take(piece)) this.#take(report);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #take(report: LauncherReport): void {
    switch (report.type) {
      case "started":
        this.#hasStarted = true;
        return;
      case "exited":
        this.exitCode = report.code;
        return this.#settle(() => this.emit("exit", report.code, null));
      case "deaf":
        return this.#deaf.resolve();
      case "empty":
        this.isEmpty = true;
        return this.#empty.resolve();
      case "absent":
        return this.#notStarted(refuse("user-absent", "nobody is logged on where the job was to run"));
      case "denied":
        return this.#notStarted(refuse("user-denied", "only an agent that runs as SYSTEM starts jobs in sessions"));
      case "failed":
        return this.#notStarted(Object.assign(new Error("not started"), { code: wordOf(report.error) }));
      default:
        throw new Error(`internal error: no report ${JSON.stringify(report satisfies never)}`);
    }
  }

  #notStarted(error: Error): void {
    this.isEmpty = true;
    this.#empty.resolve();
    this.#fail(error);
  }

  /** The launcher has gone: Windows has ended with it what ran, but nobody has seen that. */
  #ended(): void {
    this.isForsaken = this.#hasStarted && !this.isEmpty;
    if (!this.#hasStarted) return this.#notStarted(Object.assign(new Error("no launcher"), { code: "LAUNCHER_ENDED" }));
    this.#empty.resolve();
    this.#settle(() => {
      this.signalCode = "SIGKILL";
      this.emit("exit", null, "SIGKILL");
    });
  }

  #fail(error: Error): void {
    this.#settle(() => this.emit("error", error));
  }

  #settle(tell: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    tell();
  }
}
