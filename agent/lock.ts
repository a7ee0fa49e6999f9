// One agent on one state folder: an exclusive transaction on a small database, which the system ends with the process.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AgentFault } from "./fault.ts";
import { keepPrivate } from "./private-folder.ts";

const SQLITE_BUSY = 5;

/** Holds the folder until disposed of or until the process ends, however it ends. Throws `state-busy` or `state-unwritable`. */
export function lockState(folder: string): Disposable {
  const file = join(folder, "lock.db");
  const db = openOrSay(file);
  try {
    // Nothing is ever written to it, so that a full disk takes the lock as well.
    db.exec("PRAGMA journal_mode = MEMORY");
    keepPrivate(file, process.platform);
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    const isBusy = error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
    throw isBusy ? new AgentFault("state-busy", folder, { cause: error }) : unwritable(file, error);
  }
  return { [Symbol.dispose]: () => db.close() };
}

function openOrSay(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout: 0 });
  } catch (error) {
    throw unwritable(file, error);
  }
}

function unwritable(file: string, cause: unknown): AgentFault {
  return new AgentFault("state-unwritable", `${file}: ${cause instanceof Error ? cause.message : ""}`, { cause });
}
