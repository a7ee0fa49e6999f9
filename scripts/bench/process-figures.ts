/** What Linux says of a process: memory, processor time, wake-ups. */
import { readdirSync, readFileSync } from "node:fs";

export type Figures = {
  /** Bytes that are this process's alone: Private_Clean and Private_Dirty of proc_pid_smaps_rollup(5). */
  readonly privateBytes: number;
  readonly rssBytes: number;
  /** Ticks of 10 ms, user and system. */
  readonly ticks: number;
  /** Voluntary context switches of all threads. */
  readonly wakeUps: number;
};

export function figuresOf(pid: number): Figures {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return {
    privateBytes: (kib(rollup, "Private_Clean") + kib(rollup, "Private_Dirty")) * 1024,
    rssBytes: kib(rollup, "Rss") * 1024,
    ticks: ticksOf(pid),
    wakeUps: readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + switchesOf(pid, task), 0),
  };
}

/** The most memory that a process has had so far, RSS: VmHWM of proc_pid_status(5). */
export function peakBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return kib(status, "VmHWM") * 1024;
}

// proc_pid_stat(5): after the command in parentheses come state (3) and on to utime (14) and stime (15).
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function switchesOf(pid: number, task: string): number {
  const status = readFileSync(`/proc/${pid}/task/${task}/status`, "latin1");
  return Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)?.[1]);
}

function kib(rollup: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(rollup)?.[1]);
}
