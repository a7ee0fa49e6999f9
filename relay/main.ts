// The program keybound-relay: reads its arguments, and is the only file that reads clocks, randomness and the process.
import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { program } from "./cli.ts";
import { openSupervisor } from "./supervisor.ts";
import { VERSION } from "./version.ts";

const ended = program({
  args: process.argv.slice(2),
  version: VERSION,
  now: () => Date.now(),
  ticks: () => performance.now(),
  random: (bytes) => new Uint8Array(randomBytes(bytes)),
  log: pino({ base: null }, pino.destination({ dest: 2, sync: true })),
  out: (line) => process.stdout.write(`${line}\n`),
  err: (text) => process.stderr.write(text),
  supervised: () => openSupervisor(process.env),
  onSignal: (signal, listener) => void process.on(signal, listener),
});

// The bundle is CommonJS, which cannot wait at its top level; a fault of ours ends the process as an unhandled rejection.
void ended.then((code) => (process.exitCode = code));
