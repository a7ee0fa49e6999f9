// A job's processes as `ps` shows them, looked for again and again: what a system without control groups and adoption lets us know.
import { execFile } from "node:child_process";
import { MAX_PROCESS_LIST_BYTES, WALK_TIMEOUT_MS } from "../limits.ts";

type Row = {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly isEnded: boolean;
  readonly name: string;
};

export class WalkedTree {
  readonly #leader: number;
  /** By pid and start: what was seen to belong still does when it has lost its parent. */
  readonly #seen = new Set<string>();

  /** The leader by pid and start, as the first look showed it; empty where it had gone by then. */
  #leaderName: string | undefined;
  #isGroupOurs = true;

  constructor(leader: number) {
    this.#leader = leader;
  }

  /** Whether the leader's number is still that of the job's process group, and not a later process's. */
  get isGroupOurs(): boolean {
    return this.#isGroupOurs;
  }

  /** Those that live, of the leader's process group, of what descends from it, and of what was seen before with its descendants. */
  async living(): Promise<readonly number[]> {
    const rows = await processList();
    const childrenOf = Map.groupBy(rows, ({ parent }) => parent);
    const holder = rows.find(({ pid }) => pid === this.#leader);
    this.#leaderName ??= holder?.name ?? "";
    this.#isGroupOurs &&= holder === undefined || holder.name === this.#leaderName;
    const open = rows.filter(
      ({ group, name }) => this.#seen.has(name) || (this.#isGroupOurs && group === this.#leader),
    );
    const found = new Set<Row>();
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (found.has(next)) continue;
      found.add(next);
      this.#seen.add(next.name);
      open.push(...(childrenOf.get(next.pid) ?? []));
    }
    return [...found].flatMap(({ pid, isEnded }) => (isEnded ? [] : [pid]));
  }
}

/** Empty where `ps` cannot be asked: then the process group is all that is known. */
function processList(): Promise<readonly Row[]> {
  const { promise, resolve } = Promise.withResolvers<readonly Row[]>();
  const options = { timeout: WALK_TIMEOUT_MS, maxBuffer: MAX_PROCESS_LIST_BYTES, env: { LC_ALL: "C" } };
  execFile("/bin/ps", ["-axo", "pid=,ppid=,pgid=,stat=,lstart="], options, (error, stdout) =>
    resolve(error === null ? stdout.split("\n").flatMap(rowOf) : []),
  );
  return promise;
}

function rowOf(line: string): readonly Row[] {
  const [, pid, parent, group, state = "", start] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.+)$/.exec(line) ?? [];
  if (pid === undefined) return [];
  return [
    {
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      isEnded: state.startsWith("Z"),
      name: `${pid} ${start}`,
    },
  ];
}
