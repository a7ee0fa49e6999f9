// Logs: JSON lines, one fact a line, on standard output, or in a file of the agent's and from there in the system's log; never a secret, a job's source or its output.
import pino, { type Logger } from "pino";
import { AgentFault } from "../fault.ts";
import { LogFile } from "./log-file.ts";
import { SystemLog } from "./system-log.ts";

export type LogPlaces = {
  /** Where it goes instead of standard output, in a set of bounded files. */
  readonly file?: string | undefined;
  /** From this level on, lines go to the system's log as well. */
  readonly system?: string | undefined;
};

/** Synchronous, so that the line before a crash is there. Throws `misuse` for a level of the system's log that is none. */
export function openLog(level: string, { file, system }: LogPlaces = {}): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const own = file === undefined ? pino.destination({ dest: 1, sync: true }) : new LogFile(file);
  if (system === undefined) return pino(options, own);
  const other = new SystemLog({ least: levelOf(system) });
  process.once("exit", () => other.end());
  return pino(options, both(own, other));
}

type Destination = { readonly write: (line: string) => unknown };

function both(own: Destination, other: Destination): Destination & { write: (line: string) => void } {
  return {
    write: (line) => {
      own.write(line);
      other.write(line);
    },
  };
}

function levelOf(name: string): number {
  const level = pino.levels.values[name];
  if (level !== undefined) return level;
  throw new AgentFault("misuse", `KEYBOUND_LOG_SYSTEM is ${name}, must be a level of the log, such as warn`);
}
