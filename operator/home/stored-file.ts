// Files of the operator's, for this user alone: written whole or not at all, read with a bound.
import { closeSync, existsSync, fsyncSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { Fault, systemCode, writeFault } from "../fault.ts";

const OWNER_ONLY = 0o600;

/**
 * Writes a file of mode 0600 by temporary name, sync, rename and sync of the folder; a crash leaves the old file or the
 * new one. Without `replace` a file that is there stays, and `file-exists` is thrown.
 */
export function writeWhole(path: string, bytes: Uint8Array, { replace }: { readonly replace: boolean }): void {
  requireFree(path, replace);
  const temporary = `${path}.new`;
  try {
    rmSync(temporary, { force: true });
    writeSynced(temporary, bytes);
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error instanceof Fault ? error : writeFault(error, path);
  }
}

/** Throws `file-exists` where a file stands in the way of one that may not replace it. */
export function requireFree(path: string, replace: boolean): void {
  if (!replace && existsSync(path)) throw new Fault("file-exists", path);
}

/** The bytes of a file of at most `maxBytes`. Throws `file-missing` or `file-large`. */
export function readBounded(path: string | number, maxBytes: number): Uint8Array {
  let fd: number | undefined;
  try {
    fd = typeof path === "number" ? path : openSync(path, "r");
    return readToEnd(fd, maxBytes, String(path));
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof Fault || code === undefined) throw error;
    throw new Fault("file-missing", `${path} (${code})`, { cause: error });
  } finally {
    if (fd !== undefined && typeof path !== "number") closeSync(fd);
  }
}

/** Whether somebody besides the file's user may read or write it; always false on Windows, where modes say nothing. */
export function isOpenToOthers(path: string, platform: NodeJS.Platform): boolean {
  return platform !== "win32" && (statSync(path).mode & 0o077) !== 0;
}

/** Writes a new file, of mode 0600 unless said, and has it on the disk. */
export function writeSynced(path: string, bytes: Uint8Array, mode = OWNER_ONLY): void {
  const fd = openSync(path, "wx", mode);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Has a rename inside the folder above this path on the disk. */
export function syncParent(path: string): void {
  syncFolder(dirname(path));
}

/** Has the names in a folder on the disk. */
export function syncFolder(folder: string): void {
  // Windows has no sync of a folder: a rename there is on disk when its journal is.
  if (process.platform === "win32") return;
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function readToEnd(fd: number, maxBytes: number, name: string): Uint8Array {
  const bytes = new Uint8Array(maxBytes + 1);
  let at = 0;
  for (;;) {
    const read = readSync(fd, bytes, at, bytes.length - at, null);
    at += read;
    if (at > maxBytes) throw new Fault("file-large", `${name}, at most ${maxBytes} bytes`);
    if (read === 0) return bytes.slice(0, at);
  }
}

/** Makes an empty file of mode 0600 where there is none, so that what opens it later makes none that others can read. */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, "a", OWNER_ONLY));
  } catch (error) {
    throw writeFault(error, path);
  }
}
