// What Linux' /proc says of processes, and signals that never reach a later process with the same pid.
import { constants } from "node:os";
import { readdirSync, readFileSync } from "node:fs";
import type { Libc } from "./libc.ts";

export type Process = {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** It has ended and waits for its parent to ask for it. */
  readonly isEnded: boolean;
  /** Clock ticks since the boot. With the pid, it names a process for good. */
  readonly startedAt: number;
};

export const nameOf = ({ pid, startedAt }: Pick<Process, "pid" | "startedAt">) => `${pid} ${startedAt}`;

export function readProcess(pid: number): Process | undefined {
  const stat = readOf(pid, "stat");
  // proc_pid_stat(5): pid (comm) state ppid pgrp session ... starttime, the 22nd; comm may hold anything, even parentheses.
  const [state = "", parent, group, session, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (state === "") return undefined;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    isEnded: state === "Z" || state === "X",
    startedAt: Number(rest[15]),
  };
}

/** One look at each process. Those that come and go meanwhile may be missed: look again. */
export function allProcesses(): readonly Process[] {
  return readdirSync("/proc").flatMap((name) => (/^[0-9]+$/.test(name) ? (readProcess(Number(name)) ?? []) : []));
}

/** These processes and all that descend from them. */
export function withDescendants(roots: readonly Process[], all: readonly Process[]): readonly Process[] {
  const childrenOf = Map.groupBy(all, ({ parent }) => parent);
  const found = new Map<number, Process>();
  const open = [...roots];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next.pid)) continue;
    found.set(next.pid, next);
    open.push(...(childrenOf.get(next.pid) ?? []));
  }
  return [...found.values()];
}

/** Pids of our own children: those that were spawned and those that were adopted. */
export function ownChildren(): readonly number[] {
  try {
    return readFileSync(`/proc/self/task/${process.pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);
  } catch (error) {
    // A kernel without CONFIG_PROC_CHILDREN.
    if (!isGone(error)) throw error;
    return allProcesses().flatMap(({ pid, parent }) => (parent === process.pid ? pid : []));
  }
}

/** The value of a variable in the environment that a process was started with; `undefined` where it may not be read. */
export function variableOf(pid: number, name: string): string | undefined {
  const entry = readOf(pid, "environ")
    .split("\0")
    .find((line) => line.startsWith(`${name}=`));
  return entry?.slice(name.length + 1);
}

/** Sends a signal to exactly this process, if it is still there. */
export function signalProcess(target: Process, signal: NodeJS.Signals, libc: Libc | undefined): void {
  const isSame = () => readProcess(target.pid)?.startedAt === target.startedAt;
  // The handle is taken first, so that what is compared is what will be signalled.
  if (libc !== undefined)
    libc.withProcess(target.pid, (handle) => isSame() && libc.signal(handle, constants.signals[signal]));
  else if (isSame()) killUnlessGone(target.pid, signal);
}

/** Without a handle there are microseconds between the look and the signal. */
function killUnlessGone(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isGone(error) && !(error instanceof Error && "code" in error && error.code === "EPERM")) throw error;
  }
}

function readOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch (error) {
    if (isGone(error) || (error instanceof Error && "code" in error && error.code === "EACCES")) return "";
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
}
