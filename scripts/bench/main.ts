/**
 * Runs the benchmarks and prints them: `npm run bench`, or `npm run bench -- NAME...` for some of them. Each prints
 * medians with the 95th percentile, and ratios to floors of the same run. None fails for being slow.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, homedir, loadavg, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { World } from "../../operator/world.ts";
import { agentIdle } from "./agent-idle.ts";
import { agentStart } from "./agent-start.ts";
import { makeBundles } from "./bundles.ts";
import { commandLine } from "./command-line.ts";
import { jobLatency } from "./job-latency.ts";
import { load } from "./load.ts";
import { longLog } from "./long-log.ts";
import { manyJobs } from "./many-jobs.ts";
import { asMarkdown, digits } from "./numbers.ts";
import { oneFile } from "./one-file.ts";
import { killAll } from "./programs.ts";
import { relayLoad } from "./relay-load.ts";
import { stream } from "./stream.ts";
import { turns } from "./turns.ts";

const benchmarks = {
  job: jobLatency,
  idle: agentIdle,
  start: agentStart,
  cli: commandLine,
  relay: relayLoad,
  many: manyJobs,
  log: longLog,
  stream,
  turns,
  load,
  onefile: oneFile,
} as const;

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !Object.hasOwn(benchmarks, name));
  if (unknown !== undefined)
    throw new Error(`no benchmark ${unknown}; there are ${Object.keys(benchmarks).join(", ")}`);
  const folder = mkdtempSync(join(tmpdir(), "keybound-bench-"));
  process.once("exit", () => {
    // A process that is killed may still write as it goes: hence the retries.
    killAll();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  });
  // The signal often comes twice, from the terminal and from npm: the second must not end the cleaning up.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
  const bundles = await makeBundles(join(folder, "bundles"));
  console.log(machine());
  for (const [name, benchmark] of Object.entries(benchmarks)) {
    if (names.length > 0 && !names.includes(name)) continue;
    mkdirSync(join(folder, name));
    const report = await benchmark({ world: worldIn(folder), bundles, folder: join(folder, name) });
    console.log(asMarkdown({ ...report, notes: [...report.notes, loadNote()] }));
  }
}

function machine(): string {
  const cores = cpus();
  const model = cores[0]?.model ?? "unknown processor";
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `Node ${process.version}, ${process.platform} ${process.arch}, ${cores.length} x ${model}, ${memory}, ${loadNote()}\n`;
}

function loadNote(): string {
  return `load average of the last minute ${digits(loadavg()[0] ?? 0)} on ${cpus().length} cores`;
}

/** For modules of operator/: what they would say is let fall. */
function worldIn(folder: string): World {
  return {
    now: () => Date.now(),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    env: { HOME: homedir(), KEYBOUND_HOME: folder },
    platform: process.platform,
    homeFolder: folder,
    stdin: process.stdin,
    stdout: nowhere(),
    stderr: nowhere(),
    onInterrupt: () => () => undefined,
    onUnread: () => () => undefined,
  };
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
