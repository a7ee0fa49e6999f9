// One relay on one state folder: a lock that the operating system frees however the process ends.
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { sqliteCode } from "./database.ts";

const SQLITE_BUSY = 5;

export type Lock = { readonly release: () => void };

/** Takes the folder, or answers `undefined` where another process has it. */
export function lockFolder(folder: string): Lock | undefined {
  const db = new DatabaseSync(join(folder, "relay.lock"), { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
    return { release: () => db.close() };
  } catch (error) {
    db.close();
    if (sqliteCode(error) === SQLITE_BUSY) return undefined;
    throw error;
  }
}
