// Writing a file whole or not at all: by a temporary name beside it, synced, then renamed.
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";

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
