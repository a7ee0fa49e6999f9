// One writer in a home folder: an exclusive transaction on a small database, which the system ends with the process.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { Fault, systemCode, writeFault } from "../fault.ts";
import { HOME_WAIT_MS } from "../limits.ts";
import { makePrivate } from "./stored-file.ts";

const SQLITE_BUSY = 5;
const POLL_MS = 50;

/** Does this while nobody else writes here. Waits a while for another command to end, then throws `home-busy`. */
export async function underLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const lock = await lockHome(folder);
  try {
    return await work();
  } finally {
    lock[Symbol.dispose]();
  }
}

/** Held until it is disposed of or the process ends, however it ends. */
async function lockHome(folder: string): Promise<Disposable> {
  const path = join(folder, "lock.db");
  makePrivate(path);
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    if (waitedMs >= HOME_WAIT_MS) throw new Fault("home-busy", folder);
    await sleep(POLL_MS);
  }
}

/** The lock of this database, held until it is disposed of or the process ends; `undefined` where somebody else holds it. */
export function tryLock(path: string): Disposable | undefined {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
    return { [Symbol.dispose]: () => db.close() };
  } catch (error) {
    db.close();
    if (isBusy(error)) return undefined;
    throw databaseFault(error, path);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}

/** SQLite's own failures as faults: 13 is SQLITE_FULL, 10 an input or output error, 8 and 14 a file that cannot be written or opened. */
export function databaseFault(error: unknown, path: string): unknown {
  if (!(error instanceof Error && "errcode" in error) || typeof error.errcode !== "number") {
    return systemCode(error) === undefined ? error : writeFault(error, path);
  }
  const primary = error.errcode & 0xff;
  if ([8, 10, 13, 14].includes(primary)) return new Fault("disk-full", `${path} (${error.message})`, { cause: error });
  if (primary === SQLITE_BUSY) return new Fault("home-busy", path, { cause: error });
  return error;
}
