// A folder of files that appears whole, by a rename, or not at all.
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault, writeFault } from "../fault.ts";
import { requireFree, syncFolder, syncParent, writeSynced } from "../home/stored-file.ts";

export type StagedFolder = Disposable & {
  /** Where a file of it is being written. */
  readonly path: (name: string) => string;
  readonly write: (name: string, content: Uint8Array | string, over?: { readonly executable: boolean }) => void;
  /** Gives it its name; from then on it stays. Throws `file-exists` where something has that name by now. */
  readonly publish: () => void;
};

/**
 * A folder of mode 0700 beside its later place, gone when it is disposed of unpublished; the death of the process leaves it as
 * `FOLDER.new-XXXXXX`. Throws `file-exists`, `file-missing` where the folder above is not there, `file-unwritable`.
 */
export function stageFolder(folder: string): StagedFolder {
  requireFree(folder, false);
  if (!existsSync(dirname(folder))) throw new Fault("file-missing", dirname(folder));
  const staging = asWrite(folder, () => mkdtempSync(`${folder}.new-`));
  const path = (name: string) => join(staging, name);
  return {
    path,
    write: (name, content, { executable } = { executable: false }) =>
      asWrite(path(name), () => writeSynced(path(name), Buffer.from(content), executable ? 0o700 : 0o600)),
    publish: () => {
      requireFree(folder, false);
      asWrite(folder, () => {
        syncFolder(staging);
        renameSync(staging, folder);
        syncParent(folder);
      });
    },
    [Symbol.dispose]: () => rmSync(staging, { recursive: true, force: true }),
  };
}

function asWrite<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof Fault ? error : writeFault(error, path);
  }
}
