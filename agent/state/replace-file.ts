// Writing a file whole or not at all: by a temporary name beside it, synced, then renamed; and making what was written last.
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MOVE_PAUSE_MS, MOVE_TRIES } from "../limits.ts";

/** Made anew each time, so that nothing that somebody put at its place is followed. A crash leaves the file before or after. */
export function replaceFile(path: string, content: string, mode: number): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", mode);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/**
 * Gives a folder another name, for good. On Windows it is tried for ten seconds: a scanner may hold one of its files open, which forbids it.
 * Nothing else is done here meanwhile.
 */
export function moveFolder(
  from: string,
  to: string,
  { platform, rename = renameSync }: { readonly platform: NodeJS.Platform; readonly rename?: typeof renameSync },
): void {
  for (let left = platform === "win32" ? MOVE_TRIES : 1; ; left--)
    try {
      rename(from, to);
      return syncFolder(dirname(to), platform);
    } catch (error) {
      if (left === 1 || !isHeld(error)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, MOVE_PAUSE_MS);
    }
}

function isHeld(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["EACCES", "EPERM", "EBUSY"].includes(String(error.code));
}

/** Makes what was made, renamed or removed in this folder last. Windows has no such call, and needs none. */
export function syncFolder(folder: string, platform: NodeJS.Platform): void {
  if (platform !== "win32") syncPath(folder, "r");
}

/** Makes all that is in this folder last; its own name is the folder's above. */
export function syncTree(folder: string, platform: NodeJS.Platform): void {
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)))
    if (statSync(path).isDirectory()) syncFolder(path, platform);
    else syncPath(path, "r+");
  syncFolder(folder, platform);
}

function syncPath(path: string, flags: string): void {
  const file = openSync(path, flags);
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
