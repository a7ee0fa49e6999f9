// One agent on one state folder: an exclusive transaction on a small database, which the system ends with the process.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AgentFault } from "./fault.ts";
import { keepPrivate } from "./private-folder.ts";

const SQLITE_BUSY = 5;

/** Holds the folder until disposed of or until the process ends, however it ends. Throws `state-busy`. */
export function lockState(folder: string): Disposable {
  const file = join(folder, "lock.db");
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec("PRAGMA journal_mode = DELETE");
    // Before there is a journal beside it, which gets the same mode.
    keepPrivate(file, process.platform);
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    const isBusy = error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
    throw isBusy ? new AgentFault("state-busy", folder, { cause: error }) : error;
  }
  return { [Symbol.dispose]: () => db.close() };
}
