// Logs: JSON lines, one fact a line, on standard output or in a file of the agent's; never a secret, a job's source or its output.
import pino, { type Logger } from "pino";
import { LogFile } from "./log-file.ts";

/** Synchronous, so that the line before a crash is there. `file`: where it goes instead of standard output, in a set of bounded files. */
export function openLog(level: string, file?: string): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, file === undefined ? pino.destination({ dest: 1, sync: true }) : new LogFile(file));
}
