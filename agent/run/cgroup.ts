// Control groups: a job's own group, of which the kernel itself knows every member until the last has ended.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Limits, PlatformLimit } from "../../protocol/job-body.ts";

/** While the agent is in a job's group, to spawn its first process there, its own threads count as well. */
const AGENT_THREADS = 64;

/** A group's place in one hierarchy. */
export type Place = {
  readonly version: 1 | 2;
  /** Where the agent itself is. */
  readonly home: string;
  /** Where groups of jobs are made. */
  readonly parent: string;
};

export type Places = {
  /** The hierarchy that says who is a member: version 2, or version 1's freezer. */
  readonly members: Place;
  /** Where these limits can be set: in `members`, or in hierarchies of version 1. */
  readonly memory: Place | undefined;
  readonly pids: Place | undefined;
};

type Limited = { readonly place: Place; readonly limit: number };

/** A group for one job. */
export type JobGroup = {
  /** Its folders, the one that knows its members first. */
  readonly paths: readonly string[];
  readonly unenforced: readonly PlatformLimit[];
  /** Does something with the agent inside, so that what it spawns is a member from its first instruction. */
  readonly inside: <T>(act: () => T) => T;
  /** Takes the agent out, if it is in. To be done before anything is done to all members. */
  readonly vacate: () => void;
  /** Whether it could be given back: not while it has members. */
  readonly giveBack: () => boolean;
};

/**
 * The groups of jobs, and where the agent is among them. To move between groups the kernel waits for all its processors, which
 * takes milliseconds; so the agent stays in the group of the last job, and that is the next job's as soon as nobody else is in
 * it. It moves when a second job begins beside the first, when a group is to be killed, and for a job with limits.
 */
export class Cgroups {
  readonly #places: Places;
  readonly #prefix: string;
  #count = 0;
  /** Where the agent is. */
  #at: string;
  /** The group that the agent is in, while no job has it. */
  #spare: string | undefined;

  /** `prefix` begins the names of its groups, and of nobody else's. */
  constructor(places: Places, prefix: string) {
    this.#places = places;
    this.#prefix = prefix;
    this.#at = places.members.home;
    this.#spare = this.#make(places.members);
    this.#enter(this.#spare);
  }

  /** Where the agent is when it is in none of them. */
  get home(): string {
    return this.#places.members.home;
  }

  open(limits: Limits): JobGroup {
    const { memory, pids } = this.#places;
    const wanted = [limited(memory, limits.memoryBytes), limited(pids, limits.processes)] as const;
    const unenforced = [
      ...(limits.processes !== undefined && pids === undefined ? (["processes"] as const) : []),
      ...(limits.memoryBytes !== undefined && memory === undefined ? (["memoryBytes"] as const) : []),
    ];
    return { unenforced, ...(wanted.every((one) => one === undefined) ? this.#plain() : this.#bounded(...wanted)) };
  }

  /** Does something with the agent in none of the groups: what it spawns then is no job's. */
  outside<T>(act: () => T): T {
    const before = this.#at;
    this.#enter(this.#places.members.home);
    try {
      return act();
    } finally {
      this.#enter(before);
    }
  }

  #plain() {
    const path = this.#spare ?? this.#make(this.#places.members);
    this.#spare = undefined;
    return {
      paths: [path],
      inside: <T>(act: () => T) => {
        this.#enter(path);
        return act();
      },
      vacate: () => this.#vacate(path),
      giveBack: () => this.#giveBack(path),
    };
  }

  /**
   * The limit of memory is set when the agent is out again: the kernel, short of room in the group, would kill the largest
   * process there. And while it is in, its own threads count as processes.
   */
  #bounded(memory: Limited | undefined, pids: Limited | undefined) {
    const name = this.#nextName();
    const places = [...new Set([this.#places.members, ...[memory, pids].flatMap((one) => one?.place ?? [])])];
    const folderIn = ({ parent }: Place) => join(parent, name);
    const paths = places.map(folderIn);
    for (const path of paths) mkdirSync(path);
    const inside = <T>(act: () => T): T => {
      if (pids !== undefined) write(folderIn(pids.place), "pids.max", pids.limit + AGENT_THREADS);
      try {
        for (const path of paths) moveAgent(path);
        return act();
      } finally {
        for (const place of places) moveAgent(place === this.#places.members ? this.#at : place.home);
        if (pids !== undefined) write(folderIn(pids.place), "pids.max", pids.limit);
        if (memory !== undefined) limitMemory(folderIn(memory.place), memory.limit);
      }
    };
    return { paths, inside, vacate: () => undefined, giveBack: () => paths.map(removeGroup).every(Boolean) };
  }

  #giveBack(path: string): boolean {
    if (this.#at !== path) return removeGroup(path);
    if (!isAgentAlone(path)) return false;
    this.#spare = path;
    return true;
  }

  #vacate(path: string): void {
    if (this.#at !== path) return;
    this.#spare = this.#make(this.#places.members);
    this.#enter(this.#spare);
  }

  #enter(path: string): void {
    if (this.#at !== path) moveAgent(path);
    this.#at = path;
  }

  #make({ parent }: Place): string {
    const path = join(parent, this.#nextName());
    mkdirSync(path);
    return path;
  }

  #nextName(): string {
    return `${this.#prefix}-${this.#count++}`;
  }
}

function limited(place: Place | undefined, limit: number | undefined): Limited | undefined {
  return place === undefined || limit === undefined ? undefined : { place, limit };
}

function limitMemory(path: string, bytes: number): void {
  if (existsSync(join(path, "memory.max"))) {
    // All of the job or nothing: half of a killed job would go on with what it lost. Swap would only make it slow.
    write(path, "memory.oom.group", 1);
    if (existsSync(join(path, "memory.swap.max"))) write(path, "memory.swap.max", 0);
    write(path, "memory.max", bytes);
  } else {
    write(path, "memory.limit_in_bytes", bytes);
    const swap = "memory.memsw.limit_in_bytes";
    if (existsSync(join(path, swap))) write(path, swap, bytes);
  }
}

/** Pids of the members of a group and of the groups that were made in it. */
export function membersOf(path: string): readonly number[] {
  return [path, ...groupsIn(path)].flatMap((group) =>
    read(group, "cgroup.procs").split("\n").filter(Boolean).map(Number),
  );
}

/** Whether nobody is in it but the agent, if that. */
export function isAgentAlone(path: string): boolean {
  return membersOf(path).every((pid) => pid === process.pid) && groupsIn(path).length === 0;
}

/** Whether nobody is in it. The kernel's word: a process that has ended is no member. */
export function isEmpty(path: string): boolean {
  const events = read(path, "cgroup.events");
  return events === "" ? membersOf(path).length === 0 : events.includes("populated 0");
}

/** Keeps members from running, so that none makes another while each is signalled. */
export function freeze(path: string, frozen: boolean): void {
  if (existsSync(join(path, "cgroup.freeze"))) write(path, "cgroup.freeze", frozen ? 1 : 0);
  else if (existsSync(join(path, "freezer.state"))) write(path, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

/** Kills all members at once. Whether this kernel can (Linux 5.14). Never with the agent among them. */
export function killMembers(path: string): boolean {
  if (!existsSync(join(path, "cgroup.kill"))) return false;
  if (membersOf(path).includes(process.pid)) throw new Error(`internal error: the agent is in ${path}`);
  write(path, "cgroup.kill", 1);
  return true;
}

/** Removes a group and the groups in it. Whether they are gone: one with a member stays. */
export function removeGroup(path: string): boolean {
  try {
    for (const group of [...groupsIn(path).toReversed(), path]) rmdirSync(group);
    return true;
  } catch (error) {
    if (isCode(error, "ENOENT")) return true;
    if (isCode(error, "EBUSY", "ENOTEMPTY")) return false;
    throw error;
  }
}

/** Groups below, those nearer to the top first. */
function groupsIn(path: string): readonly string[] {
  try {
    const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return below.flatMap(({ name }) => [join(path, name), ...groupsIn(join(path, name))]);
  } catch (error) {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  }
}

/** All of the agent: Node forks on its first thread, and version 2 moves processes, not threads. */
function moveAgent(path: string): void {
  write(path, "cgroup.procs", process.pid);
}

function write(path: string, file: string, value: number | string): void {
  writeFileSync(join(path, file), String(value));
}

function read(path: string, file: string): string {
  try {
    return readFileSync(join(path, file), "latin1");
  } catch (error) {
    // ENODEV: it was removed while it was open.
    if (isCode(error, "ENOENT", "ENODEV")) return "";
    throw error;
  }
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
}
