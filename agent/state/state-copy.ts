// A copy of the state from before a version on trial changes its tables, and its way back. The copy is there only as long as nothing
// has been accepted, run or sent since it was made: so putting it back loses nothing, and no job can run twice by it.
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DATABASE_WAIT_MS } from "../limits.ts";
import { isRelease } from "../version.ts";
import { syncFolder } from "./replace-file.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { isSqliteError, schemaVersionOf } from "./state.ts";

const PREFIX = "state.db.before-";
/** A copy that is being made. */
const UNFINISHED = `${PREFIX}new`;
/** A copy that is being put back; from then on there is nothing else. */
const RETURNING = "state.db.returning";
/** What may lie beside a database, of SQLite's. */
const BESIDE = ["-wal", "-shm", "-journal"] as const;

/** Called while nobody else can write: between the last change of the version before and the first of this one. */
export function copyState(folder: string, version: string): void {
  const [copy, unfinished] = [join(folder, PREFIX + version), join(folder, UNFINISHED)];
  rmSync(unfinished, { force: true });
  try {
    writeCopy(join(folder, "state.db"), unfinished);
  } catch (error) {
    // Half a copy on a disk that is full would keep the version before from opening its state.
    rmSync(unfinished, { force: true });
    throw error;
  }
  renameSync(unfinished, copy);
  syncFolder(folder, process.platform);
}

function writeCopy(state: string, copy: string): void {
  const db = new DatabaseSync(state, { readOnly: true, timeout: DATABASE_WAIT_MS });
  try {
    db.prepare("VACUUM INTO ?").run(copy);
  } finally {
    db.close();
  }
  if (process.platform !== "win32") chmodSync(copy, 0o600);
  const file = openSync(copy, "r+");
  fsyncSync(file);
  closeSync(file);
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
 * Puts the state back to what it was before another version changed its tables, where there is a copy and this version cannot go on with
 * the state as it is; answers whether. It does not matter which version that was, and whether it failed: no copy outlives the first
 * start in earnest. To be called with the folder locked and no database open. A crash leaves what the next call finishes.
 */
export function returnState(folder: string): boolean {
  rmSync(join(folder, UNFINISHED), { force: true });
  const returning = join(folder, RETURNING);
  if (!existsSync(returning)) {
    const copy = readdirSync(folder).find(isCopy);
    if (copy === undefined || canGoOn(folder, copy)) return false;
    renameSync(join(folder, copy), returning);
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

function isCopy(name: string): boolean {
  return name.startsWith(PREFIX) && isRelease(name.slice(PREFIX.length));
}

/** A state that cannot be read, or is older than its copy, was spoilt by the version that was on trial. */
function canGoOn(folder: string, copy: string): boolean {
  const [before, found] = [copy, "state.db"].map((name) => versionIn(join(folder, name)));
  if (before === undefined) return true;
  return found !== undefined && found >= before && found <= SCHEMA_VERSION;
}

function versionIn(path: string): number | undefined {
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: DATABASE_WAIT_MS });
    try {
      return schemaVersionOf(db);
    } finally {
      db.close();
    }
  } catch (error) {
    if (isSqliteError(error)) return undefined;
    throw error;
  }
}
