// Lines for the log of the whole machine, by logger(1), where the agent's own log is a file: on macOS they end in the unified log, where an
// administrator's tools look. The file has every line; here some are left out rather than that anybody waits for them.
import {
  ASK_TIME_MS,
  SYSTEM_LOG_LAST_MS,
  SYSTEM_LOG_LAST_PROGRAMS,
  SYSTEM_LOG_LINE_BYTES,
  SYSTEM_LOG_LINES,
  SYSTEM_LOG_PAUSE_MS,
} from "../limits.ts";
import { askProgram, isExecutable, tellProgramNow } from "../run/ask-program.ts";

const LOGGER = "/usr/bin/logger";
const NAME = "keybound-agent";
/** Each of pino's levels and all below the next, as syslog(3) calls it. Of `info` macOS keeps nothing on the disk. */
const PRIORITIES = [
  [60, "crit"],
  [50, "err"],
  [40, "warning"],
  [30, "notice"],
  [0, "debug"],
] as const;
const FATAL = 60;

type Line = { readonly priority: string; readonly text: string };

export type SystemLogOptions = {
  /** Lines below it, in pino's numbers, are none of its business. */
  readonly least: number;
  readonly logger?: string;
  readonly pauseMs?: number;
};

/** One program at a time takes what has come, and the next one not before a pause. */
export class SystemLog {
  readonly #options: Required<SystemLogOptions>;
  readonly #waiting: Line[] = [];
  #leftOut = 0;
  #isResting = false;

  constructor(options: SystemLogOptions) {
    this.#options = { logger: LOGGER, pauseMs: SYSTEM_LOG_PAUSE_MS, ...options };
  }

  /** A line as pino writes it. Does not throw, and waits for nothing. */
  write(line: string): void {
    const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? FATAL);
    if (level < this.#options.least) return;
    if (this.#waiting.length >= SYSTEM_LOG_LINES) this.#leftOut++;
    else this.#waiting.push({ priority: priorityOf(level), text: shortened(line) });
    if (!this.#isResting) void this.#send();
  }

  /** At the end of the process: what still waits, such as the fault that ends it, is handed over and waited for, a second at most. */
  end(): void {
    for (let programs = SYSTEM_LOG_LAST_PROGRAMS; programs > 0 && this.#waiting.length > 0; programs--) {
      const order = this.#order();
      if (order !== undefined) tellProgramNow({ ...order, withinMs: SYSTEM_LOG_LAST_MS });
    }
  }

  /** Does not reject. */
  async #send(): Promise<void> {
    const order = this.#order();
    if (order === undefined) return;
    this.#isResting = true;
    await askProgram({ ...order, until: AbortSignal.timeout(ASK_TIME_MS) });
    setTimeout(() => this.#rested(), this.#options.pauseMs).unref();
  }

  /** What a program is told next; nothing where nothing waits, or where there is none. */
  #order() {
    const { logger } = this.#options;
    const lines = this.#take();
    const [first] = lines;
    if (first === undefined || !isExecutable(logger)) return undefined;
    // Its name is in the text as well: whether the unified log shows what a program calls itself is not known.
    const input = lines.map(({ text }) => `${NAME} ${text}\n`).join("");
    return { path: logger, args: ["-t", NAME, "-p", `daemon.${first.priority}`], input };
  }

  #rested(): void {
    this.#isResting = false;
    void this.#send();
  }

  /** The first lines of one priority, which is all that one program can be told. */
  #take(): readonly Line[] {
    const [first] = this.#waiting;
    const others = this.#waiting.findIndex(({ priority }) => priority !== first?.priority);
    const lines = this.#waiting.splice(0, others < 0 ? this.#waiting.length : others);
    if (this.#leftOut > 0)
      lines.push({ priority: "warning", text: `${this.#leftOut} lines are in its own file alone` });
    this.#leftOut = 0;
    return lines;
  }
}

function priorityOf(level: number): string {
  return PRIORITIES.find(([least]) => level >= least)?.[1] ?? "debug";
}

/** logger(1) of BSD would make two of a longer one. */
function shortened(line: string): string {
  const bytes = Buffer.from(line.trimEnd());
  return bytes.length <= SYSTEM_LOG_LINE_BYTES ? bytes.toString() : `${cut(bytes)}...`;
}

/** No half of a character at its end. */
function cut(bytes: Buffer): string {
  return new TextDecoder().decode(bytes.subarray(0, SYSTEM_LOG_LINE_BYTES), { stream: true });
}
