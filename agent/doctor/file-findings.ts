// What the file system says of the state folder: who could read or change it, and how much room is left beside it.
import { lstatSync, readdirSync, type Stats, statfsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DISK_FULL_BYTES, DISK_LOW_BYTES, FEW_INODES, MAX_LOOKED_AT_FILES } from "../limits.ts";
import { codeOf, failed, type Finding, mebibytes, ok, warning } from "./finding.ts";

const AS_ROOT = "run it as root, or as the user whose state it is";

export function permissionFindings(folder: string, platform: NodeJS.Platform): readonly Finding[] {
  if (platform === "win32")
    return [ok("permissions", "not looked at on Windows: the agent sets the folder's list at each start")];
  const path = resolve(folder);
  try {
    const faults = [...ownFaults(path), ...fileFaults(path), ...aboveFaults(path)];
    return faults.length > 0 ? faults : [ok("permissions", `${path} is for ${nameOf(lstatSync(path))} alone`)];
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [ok("permissions", `${path} is not there yet`)];
    return [warning("permissions", `${path} cannot be looked into by this user: ${codeOf(error)}`, AS_ROOT)];
  }
}

function nameOf({ uid }: Stats): string {
  return uid === 0 ? "root" : `user ${uid}`;
}

function ownFaults(path: string): readonly Finding[] {
  const { mode } = lstatSync(path);
  if ((mode & 0o077) === 0) return [];
  return [failed("permissions", `${path} has mode ${octal(mode)}: others reach into it`, `chmod 700 ${path}`)];
}

/** Of files of ours alone: what jobs put into their folder is theirs. */
function fileFaults(path: string): readonly Finding[] {
  const owner = lstatSync(path).uid;
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .slice(0, MAX_LOOKED_AT_FILES)
    .flatMap(({ name }) => {
      const file = join(path, name);
      const { mode, uid } = lstatSync(file);
      if (uid !== owner) return [failed("permissions", `${file} belongs to user ${uid}`, `chown it to user ${owner}`)];
      const isPrivate = (mode & 0o077) === 0 || !/^(state\.db|network\.json)/.test(name);
      return isPrivate ? [] : [failed("permissions", `${file} has mode ${octal(mode)}`, `chmod 600 ${file}`)];
    });
}

/** Whoever can rename a folder above it can put another one in its place. */
function aboveFaults(path: string): readonly Finding[] {
  const above = dirname(path);
  if (above === path) return [];
  const { mode, uid } = lstatSync(above);
  const isOpen = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  const owner = lstatSync(path).uid;
  if (!isOpen && (uid === 0 || uid === owner)) return aboveFaults(above);
  const says = `${above}, above the state folder, can be changed by others: user ${uid}, mode ${octal(mode)}`;
  return [failed("permissions", says, "give it to root, and take the right to write from group and others")];
}

const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, "0");

export function diskFinding(folder: string): Finding {
  const place = nearest(resolve(folder));
  try {
    const { bavail, bsize, files, ffree } = statfsSync(place);
    const free = bavail * bsize;
    const says = `${mebibytes(free)} free at ${place}; the state takes ${mebibytes(stateBytes(folder))}`;
    const hint = "free some space: a receipt that cannot be written stops the device from taking jobs";
    if (free < DISK_FULL_BYTES) return failed("disk", says, hint);
    if (files > 0 && ffree < FEW_INODES) return failed("disk", `${says}; ${ffree} files more fit`, hint);
    return free < DISK_LOW_BYTES ? warning("disk", says, hint) : ok("disk", says);
  } catch (error) {
    return warning("disk", `${place} cannot be asked: ${codeOf(error)}`, AS_ROOT);
  }
}

function nearest(path: string): string {
  return sizeOf(path) === undefined && dirname(path) !== path ? nearest(dirname(path)) : path;
}

function stateBytes(folder: string): number {
  const files = ["state.db", "state.db-wal", "state.db-shm"].map((name) => sizeOf(join(folder, name)) ?? 0);
  return files.reduce((sum, size) => sum + size, 0);
}

function sizeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.size;
}
