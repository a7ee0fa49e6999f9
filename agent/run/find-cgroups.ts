// Which control groups the agent may make groups in: those that it is in itself, where it may write.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cgroups, isCode, type Place, type Places, removeGroup } from "./cgroup.ts";
import { readProcess } from "./processes.ts";

export type Versions = readonly (1 | 2)[];

// Where the agent is, is a fact of its process: whoever asks shares the answer.
const opened = new Map<string, Cgroups | undefined>();

/** The groups of jobs. `undefined` where none can be made: no cgroups, or not ours. `versions` are those to look for. */
export function openCgroups(versions: Versions = [2, 1]): Cgroups | undefined {
  const key = versions.join();
  if (!opened.has(key)) {
    const places = findPlaces(versions);
    const prefix = `keybound-${process.pid}-${readProcess(process.pid)?.startedAt}`;
    if (places !== undefined) removeStale(places.members.parent);
    opened.set(key, places === undefined ? undefined : new Cgroups(places, `${prefix}-v${key.replace(",", "")}`));
  }
  return opened.get(key);
}

/** Does something by which the agent spawns a process of its own, which shall be in no job's group. Without an `await`. */
export function outsideGroups<T>(act: () => T): T {
  const inner = [...opened.values()].reduce(
    (within, groups) => (groups === undefined ? within : () => groups.outside(within)),
    act,
  );
  return inner();
}

/** Empty groups of agents that are no more. One that has a member stays. */
function removeStale(parent: string): void {
  for (const name of readdirSync(parent)) {
    const [, pid, startedAt] = /^keybound-(\d+)-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && readProcess(Number(pid))?.startedAt !== Number(startedAt)) removeGroup(join(parent, name));
  }
}

/**
 * Finds them and tries them. Under version 2 the agent first moves into a group of its own, `agent`, beside those of its jobs:
 * a group that passes controllers on may have no members.
 */
function findPlaces(versions: Versions): Places | undefined {
  const own = versions.includes(2) ? placeOf2() : undefined;
  const v1 = (controller: string) => (versions.includes(1) ? placeOf1(controller) : undefined);
  const members = own?.place ?? v1("freezer");
  if (members === undefined) return undefined;
  return {
    members,
    memory: own?.controllers.includes("memory") === true ? own.place : v1("memory"),
    pids: own?.controllers.includes("pids") === true ? own.place : v1("pids"),
  };
}

type Mount = {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
};

function placeOf2(): { readonly place: Place; readonly controllers: readonly string[] } | undefined {
  const parent = ownFolder("", ({ type }) => type === "cgroup2");
  if (parent === undefined) return undefined;
  return tried(() => {
    // The root of the whole hierarchy, which has no type, may have members and pass controllers on.
    const isRoot = !existsSync(join(parent, "cgroup.type"));
    const home = isRoot ? parent : join(parent, "agent");
    if (!isRoot) mkdirSync(home, { recursive: true });
    const place = probed({ version: 2, home, parent });
    return { place, controllers: passedOn(parent) };
  });
}

function placeOf1(controller: string): Place | undefined {
  const home = ownFolder(controller, ({ type, options }) => type === "cgroup" && options.includes(controller));
  return home === undefined ? undefined : tried(() => probed({ version: 1, home, parent: home }));
}

/** Where the agent's own group is in the file system, if it is there and the agent in it. */
function ownFolder(controller: string, isIt: (mount: Mount) => boolean): string | undefined {
  // cgroups(7): hierarchy:controllers:path; version 2 names no controllers.
  const line = lines("/proc/self/cgroup").find((text) => text.split(":")[1]?.split(",").includes(controller));
  const path = line?.split(":").slice(2).join(":");
  const mount = mounts().find(isIt);
  if (path === undefined || mount === undefined || !(path === mount.root || path.startsWith(beneath(mount.root))))
    return undefined;
  const folder = join(mount.point, path.slice(mount.root === "/" ? 0 : mount.root.length));
  const isIn = existsSync(folder) && lines(join(folder, "cgroup.procs")).includes(String(process.pid));
  return isIn ? folder : undefined;
}

const beneath = (root: string) => (root === "/" ? "/" : `${root}/`);

// proc_pid_mountinfo(5): id parent device root point options [fields] - type source options.
function mounts(): readonly Mount[] {
  return lines("/proc/self/mountinfo").map((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = before.split(" ");
    const [type = "", , options = ""] = after.split(" ");
    return { root, point, type, options: options.split(",") };
  });
}

/** A group is made there, the agent goes in and home, and the group is removed. Throws what the kernel says against it. */
function probed(place: Place): Place {
  const path = join(place.parent, `keybound-probe-${process.pid}`);
  mkdirSync(path);
  try {
    for (const folder of [path, place.home]) writeFileSync(join(folder, "cgroup.procs"), String(process.pid));
  } finally {
    removeGroup(path);
  }
  return place;
}

/** Controllers that groups of jobs have, after what could be done for it. */
function passedOn(parent: string): readonly string[] {
  for (const controller of ["memory", "pids"])
    tried(() => writeFileSync(join(parent, "cgroup.subtree_control"), `+${controller}`));
  return lines(join(parent, "cgroup.subtree_control")).flatMap((line) => line.split(" "));
}

/** `undefined` where it is not ours to do: no right, read-only, no such controller, or others are in the group. */
function tried<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (isCode(error, "EACCES", "EPERM", "EROFS", "ENOENT", "EBUSY", "EINVAL", "EOPNOTSUPP", "ENOTSUP", "ENOSPC"))
      return undefined;
    throw error;
  }
}

function lines(path: string): readonly string[] {
  try {
    return readFileSync(path, "latin1").split("\n").filter(Boolean);
  } catch (error) {
    if (isCode(error, "ENOENT", "EACCES", "EOPNOTSUPP")) return [];
    throw error;
  }
}
