// Logs: JSON lines on standard output, one fact a line; never a secret, a job's source or its output.
import pino, { type Logger } from "pino";

/** Synchronous, so that the line before a crash is there. */
export function openLog(level: string): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 1, sync: true }),
  );
}
