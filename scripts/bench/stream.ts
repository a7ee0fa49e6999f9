/** Live output: how long a line takes to its reader, how fast much of it goes, what it costs in memory, and what it costs other jobs. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Unlocked } from "../../operator/unlock/unlock.ts";
import { Floors } from "./floors.ts";
import { digits, inMs, median, type Report, type Row, times } from "./numbers.ts";
import type { Program } from "./programs.ts";
import { type Bench, Stage } from "./stage.ts";
import { followJob, rosterDevices, timeJob } from "./timed-job.ts";

const MIB = 2 ** 20;
const LINES = 60;
const OTHERS = 40;
/** What a device may send at once, and then more: the first part goes as fast as it can, the second as fast as a relay lets it. */
const WATCHED_MIB = 192;
const BURST_MIB = 32;
const UNWATCHED_MIB = 10 * 1024;
/** The job says when it wrote the line; both clocks are this machine's. */
const STAMPED = "sleep 0.1; date +%s%N\n";

export async function stream(bench: Bench): Promise<Report> {
  await using stage = await Stage.open(bench);
  const agent = await stage.agent("agent");
  const floors = await Floors.open(stage);
  const unlocked = await stage.operator(1);
  const second = await stage.operator(1);
  const [device] = rosterDevices(unlocked);
  if (device === undefined) throw new Error("no device");
  const rest = { agent: memoryOf(agent.pid, "VmHWM"), relay: memoryOf(stage.relay.pid, "VmHWM") };
  const line = await lines({ unlocked, device, floors });
  const quiet = await others({ unlocked, device });
  const watched = await flooded({ unlocked, device, second }, false);
  const unwatched = await flooded({ unlocked, device, second }, true);
  const pipe = await throughPipe(UNWATCHED_MIB);
  const small = await printed({ unlocked, device }, BURST_MIB);
  const memory = await byProgram(stage, agent);
  const large = await kept({ unlocked, device, agent });
  return {
    title: `stream: ${LINES} lines, ${WATCHED_MIB} MiB watched, ${UNWATCHED_MIB} MiB that nobody watches`,
    rows: [
      ...lineRows(line, floors),
      { what: "another job, `echo hello`, to its verified receipt: quiet device", value: inMs(quiet), ratio: "1" },
      otherRow("beside `yes`, watched", watched, quiet),
      otherRow("beside `yes`, not watched", unwatched, quiet),
      { what: `${BURST_MIB} MiB, watched: as fast as it goes`, value: perSecond(BURST_MIB, small) },
      {
        what: `${WATCHED_MIB} MiB by \`keybound run\` into a pipe, whole process`,
        value: perSecond(WATCHED_MIB, memory.ms),
      },
      {
        what: `${UNWATCHED_MIB} MiB that nobody watches`,
        value: perSecond(UNWATCHED_MIB, large.ms),
        ratio: times(large.ms, pipe, "the pipe"),
      },
      { what: "floor: the same through a pipe, `head` into `cat`", value: perSecond(UNWATCHED_MIB, pipe), ratio: "1" },
      memoryRow("agent", memory.agent, rest.agent),
      memoryRow("relay", memory.relay, rest.relay),
      { what: `\`keybound\`, at its most, while ${WATCHED_MIB} MiB were printed`, value: inWholeMib(memory.cli) },
      memoryRow(`agent, ${UNWATCHED_MIB} MiB unwatched`, large.agent, rest.agent),
    ],
    notes: [
      "a line is stamped by the job when it writes it; `date` itself takes about a millisecond of the time",
      "a relay takes 32 MiB of live output of a device at once and then 10 MiB a second, and the job goes at that pace",
      "memory is resident: of relay and agent at its most since they began (VmHWM), of the program at each chunk that it printed, without what stretching the passphrase took before",
    ],
  };
}

type At = { readonly unlocked: Unlocked; readonly device: RosterDevice };

async function lines({ unlocked, device, floors }: At & { readonly floors: Floors }): Promise<readonly number[]> {
  const took: number[] = [];
  for (let n = 0; n < LINES; n++) {
    const { first } = await followJob(unlocked, device, { source: STAMPED });
    took.push(first.atMs - Number(new TextDecoder().decode(first.bytes)) / 1e6);
    await floors.sample();
  }
  return took;
}

function lineRows(line: readonly number[], floors: Floors): readonly Row[] {
  const trips = 2 * median(floors.of("webSocket"));
  const over = `${digits(median(line) - trips)} ms more than the trips (target 50)`;
  return [
    { what: "**a line, written by the job to opened by the client**", value: inMs(line), ratio: over },
    { what: "floor: WebSocket round trip, 1 KiB (2 in this row's ratio)", value: inMs(floors.of("webSocket")) },
  ];
}

async function others({ unlocked, device }: At): Promise<readonly number[]> {
  const took: number[] = [];
  for (let n = 0; n < OTHERS; n++) took.push((await timeJob(unlocked, device)).verified);
  return took;
}

/** The same while another job writes as fast as it can. */
async function flooded(at: At & { readonly second: Unlocked }, isQuiet: boolean): Promise<readonly number[]> {
  const flood = followJob(at.second, at.device, { source: "timeout 20 yes; true\n", isQuiet });
  // Past what a relay takes at once.
  await sleep(5000);
  const took = await others(at);
  await flood;
  return took;
}

async function printed({ unlocked, device }: At, mib: number): Promise<number> {
  const start = performance.now();
  const { size } = await followJob(unlocked, device, { source: `head -c ${mib}M /dev/zero\n` });
  if (size !== mib * MIB) throw new Error(`${size} bytes of ${mib} MiB came`);
  return performance.now() - start;
}

/** The program itself before a reader, and what all three hold at their most. */
async function byProgram(stage: Stage, agent: Program) {
  const { operator } = stage.bench.bundles;
  const args = [operator, "run", "--all", ...stage.unlocking, "--", `head -c ${WATCHED_MIB}M /dev/zero`];
  const start = performance.now();
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], KEYBOUND_HOME: stage.home },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let bytes = 0;
  let cli = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    cli = Math.max(cli, memoryOf(child.pid ?? 0, "VmRSS"));
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0 || bytes !== WATCHED_MIB * MIB) throw new Error(`ended with ${String(code)} after ${bytes} bytes`);
  return {
    ms: performance.now() - start,
    cli,
    agent: memoryOf(agent.pid, "VmHWM"),
    relay: memoryOf(stage.relay.pid, "VmHWM"),
  };
}

async function kept({ unlocked, device, agent }: At & { readonly agent: Program }) {
  const start = performance.now();
  await followJob(unlocked, device, { source: `head -c ${UNWATCHED_MIB}M /dev/zero\n`, isQuiet: true });
  return { ms: performance.now() - start, agent: memoryOf(agent.pid, "VmHWM") };
}

function throughPipe(mib: number): Promise<number> {
  const start = performance.now();
  const child = spawn("/bin/sh", ["-c", `head -c ${mib}M /dev/zero | cat > /dev/null`], { stdio: "ignore" });
  return new Promise((resolve) => child.once("close", () => resolve(performance.now() - start)));
}

/** Bytes that a process holds, or held at its most; 0 where it has ended. */
function memoryOf(pid: number, figure: "VmRSS" | "VmHWM"): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return Number(new RegExp(`^${figure}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function otherRow(what: string, took: readonly number[], quiet: readonly number[]): Row {
  return { what, value: inMs(took), ratio: times(median(took), median(quiet), "the quiet one") };
}

function memoryRow(what: string, most: number, before: number): Row {
  return { what: `${what}: at its most, ${inWholeMib(before)} before`, value: inWholeMib(most) };
}

function inWholeMib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

function perSecond(mib: number, ms: number): string {
  return `${digits((mib * 1000) / ms)} MiB/s`;
}
