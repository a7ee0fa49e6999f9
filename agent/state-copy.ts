// A copy of the state from before a version on trial changes its tables, and its way back. The copy is there only as long as nothing
// has been accepted, run or sent since it was made: so putting it back loses nothing, and no job can run twice by it.
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DATABASE_WAIT_MS } from "./limits.ts";
import { syncFolder } from "./replace-file.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { isSqliteError, schemaVersionOf } from "./state.ts";

const PREFIX = "state.db.before-";
/** A copy that is being put back; from then on there is nothing else. */
const RETURNING = "state.db.returning";
/** What may lie beside a database, of SQLite's. */
const BESIDE = ["-wal", "-shm", "-journal"] as const;

/** Called while nobody else can write: between the last change of the version before and the first of this one. */
export function copyState(folder: string, version: string): void {
  const [copy, unfinished] = [join(folder, PREFIX + version), join(folder, `${PREFIX}new`)];
  rmSync(unfinished, { force: true });
  const db = new DatabaseSync(join(folder, "state.db"), { readOnly: true, timeout: DATABASE_WAIT_MS });
  try {
    db.prepare("VACUUM INTO ?").run(unfinished);
  } finally {
    db.close();
  }
  if (process.platform !== "win32") chmodSync(unfinished, 0o600);
  const file = openSync(unfinished, "r+");
  fsyncSync(file);
  closeSync(file);
  renameSync(unfinished, copy);
  syncFolder(folder, process.platform);
}

export function hasCopy(folder: string, version: string): boolean {
  return existsSync(join(folder, PREFIX + version));
}

/** Before anything is accepted or sent: it is gone from the disk when this returns. */
export function dropCopies(folder: string): void {
  const copies = readdirSync(folder).filter((name) => name.startsWith(PREFIX));
  for (const name of copies) rmSync(join(folder, name), { force: true });
  if (copies.length > 0) syncFolder(folder, process.platform);
}

/**
 * Puts the state back to what it was before this version changed its tables, where it did and failed then; answers whether. To be
 * called with the folder locked and no database open. A crash leaves what the next call finishes.
 */
export function returnState(folder: string, failed: string | undefined): boolean {
  const returning = join(folder, RETURNING);
  if (!existsSync(returning)) {
    if (failed === undefined || !hasCopy(folder, failed) || !isMovedOn(folder)) return false;
    renameSync(join(folder, PREFIX + failed), returning);
    syncFolder(folder, process.platform);
  }
  const state = join(folder, "state.db");
  // What SQLite would take for the newest pages of the file that comes into this place.
  for (const beside of BESIDE) rmSync(state + beside, { force: true });
  syncFolder(folder, process.platform);
  renameSync(returning, state);
  syncFolder(folder, process.platform);
  return true;
}

/** A state that cannot be read at all was spoilt by the version that failed. */
function isMovedOn(folder: string): boolean {
  try {
    const db = new DatabaseSync(join(folder, "state.db"), { timeout: DATABASE_WAIT_MS });
    try {
      return schemaVersionOf(db) > SCHEMA_VERSION;
    } finally {
      db.close();
    }
  } catch (error) {
    if (isSqliteError(error)) return true;
    throw error;
  }
}
