// The agent's state: one SQLite database in a folder that only its owner can read, changed in whole transactions only.
import { join, resolve } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { AgentFault, isDiskFull } from "../fault.ts";
import { DATABASE_WAIT_MS } from "../limits.ts";
import { keepPrivate, makePrivate } from "./private-folder.ts";
import { numberOf, type Row } from "./row.ts";
import { SCHEMA_STEPS, SCHEMA_VERSION } from "./schema.ts";

/** Called before and after each commit with the transaction's name; lets tests end the process at any of these points. */
export type Observe = (point: string) => void;

export class State {
  readonly folder: string;
  readonly #db: DatabaseSync;
  readonly #observe: Observe;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(folder: string, { db, observe }: { readonly db: DatabaseSync; readonly observe: Observe }) {
    this.folder = folder;
    this.#db = db;
    this.#observe = observe;
  }

  /**
   * Opens the state in this folder, making it where there is none and bringing an older one up to date. `beforeUpgrade` is called
   * before that, while nobody else can write. Throws `state-unwritable`, `disk-full` or `state-newer`.
   */
  static open(folder: string, observe: Observe = () => undefined, beforeUpgrade: () => void = () => undefined): State {
    makeStateFolder(folder);
    const db = unlessUnwritable(folder, () => openDatabase(join(folder, "state.db"), beforeUpgrade));
    return new State(folder, { db, observe });
  }

  /** Opens the state to look at it beside a running daemon. `undefined` where there is none or it may not be read. */
  static view(folder: string): State | undefined {
    try {
      const db = new DatabaseSync(join(folder, "state.db"), { readOnly: true, timeout: DATABASE_WAIT_MS });
      if (schemaVersionOf(db) === SCHEMA_VERSION) {
        db.exec("PRAGMA trusted_schema = OFF");
        return new State(folder, { db, observe: () => undefined });
      }
      db.close();
      return undefined;
    } catch (error) {
      if (isSqliteError(error)) return undefined;
      throw error;
    }
  }

  /** Everything in `change` or nothing, on the disk before this returns. `name` is for observers. */
  write<T>(name: string, change: () => T): T {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = change();
      this.#observe(`before ${name}`);
      this.#db.exec("COMMIT");
      this.#observe(`after ${name}`);
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw diskFault(error);
    }
  }

  /**
   * As `write`, but a loss of power (not a crash) may undo it: for what can be done again. A later `write` makes it last.
   */
  writeSoon<T>(name: string, change: () => T): T {
    this.#db.exec("PRAGMA synchronous = NORMAL");
    try {
      return this.write(name, change);
    } finally {
      this.#db.exec("PRAGMA synchronous = FULL");
    }
  }

  /** Throws `state-newer` where another version has changed the tables since this was opened. */
  checkTables(): void {
    checkVersion(schemaVersionOf(this.#db));
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.#prepared(sql).run(...values);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#prepared(sql).all(...values);
  }

  close(): void {
    this.#db.close();
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

/** Where there is none, makes the folder that a state is in, for its owner alone. Throws `state-unwritable`. */
export function makeStateFolder(folder: string): void {
  unlessUnwritable(folder, () => makePrivate(resolve(folder), process.platform));
}

/** What the act throws, but for our own faults, as `disk-full` or `state-unwritable`. */
export function unlessUnwritable<T>(folder: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof AgentFault) throw error;
    const code = isDiskFull(diskFault(error)) ? "disk-full" : "state-unwritable";
    throw new AgentFault(code, `${folder}: ${error instanceof Error ? error.message : ""}`, { cause: error });
  }
}

function openDatabase(path: string, beforeUpgrade: () => void): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: DATABASE_WAIT_MS });
  try {
    return prepared(db, { path, beforeUpgrade });
  } catch (error) {
    db.close();
    throw error;
  }
}

type Opened = { readonly path: string; readonly beforeUpgrade: () => void };

function prepared(db: DatabaseSync, { path, beforeUpgrade }: Opened): DatabaseSync {
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA cache_size = -512",
  );
  // On macOS a sync reaches the disk's own cache only, and the disk itself by this; elsewhere it says nothing.
  db.exec("PRAGMA fullfsync = ON");
  // What is deleted, a former identity's key above all, is overwritten: with FAST not on pages that a long row no longer needs.
  db.exec("PRAGMA secure_delete = ON");
  const version = schemaVersionOf(db);
  checkVersion(version);
  if (version < SCHEMA_VERSION) bringUpToDate(db, beforeUpgrade);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) keepPrivate(file, process.platform);
  return db;
}

function checkVersion(version: number): void {
  if (version > SCHEMA_VERSION)
    throw new AgentFault("state-newer", `version ${version}, this agent knows ${SCHEMA_VERSION}`);
}

/** In one transaction, from the version as it is there: `bind` and `run` may come to an older state at once. */
function bringUpToDate(db: DatabaseSync, beforeUpgrade: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  const steps = SCHEMA_STEPS.slice(schemaVersionOf(db));
  if (steps.length > 0) beforeUpgrade();
  db.exec(`${steps.join("")} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

export function schemaVersionOf(db: DatabaseSync): number {
  return numberOf(db.prepare("PRAGMA user_version").get() ?? {}, "user_version");
}

export function isSqliteError(error: unknown): error is Error & { errcode: number } {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number";
}

const SQLITE_FULL = 13;
const SQLITE_IOERR = 10;

function diskFault(error: unknown): unknown {
  if (!isSqliteError(error) || ![SQLITE_FULL, SQLITE_IOERR].includes(error.errcode & 0xff)) return error;
  return new AgentFault("disk-full", error.message, { cause: error });
}
