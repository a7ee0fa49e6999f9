// Writing a file whole or not at all: by a temporary name beside it, synced, then renamed; and making what was written last.
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

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
