// One agent on one state folder: an exclusive transaction on a small database, which the system ends with the process.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AgentFault } from "../fault.ts";
import { keepPrivate } from "./private-folder.ts";
import { isSqliteError, unlessUnwritable } from "./state.ts";

const SQLITE_BUSY = 5;

/** Holds the folder until disposed of or until the process ends, however it ends. Throws `state-busy`, or as `State.open`. */
export function lockState(folder: string): Disposable {
  const db = unlessUnwritable(folder, () => lockedIn(folder));
  return { [Symbol.dispose]: () => db.close() };
}

function lockedIn(folder: string): DatabaseSync {
  const file = join(folder, "lock.db");
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    // Nothing is ever written to it, so that a full disk takes the lock as well.
    db.exec("PRAGMA journal_mode = MEMORY");
    keepPrivate(file, process.platform);
    db.exec("BEGIN EXCLUSIVE");
    return db;
  } catch (error) {
    db.close();
    const isBusy = isSqliteError(error) && error.errcode === SQLITE_BUSY;
    throw isBusy ? new AgentFault("state-busy", folder, { cause: error }) : error;
  }
}
