// The one SQLite file: opening it, statements, and commits that are on disk before they are confirmed.
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { Obstacle } from "./obstacle.ts";
import { SCHEMA_STEPS, SCHEMA_VERSION } from "./schema.ts";
import { Trouble } from "./trouble.ts";

export type Row = Record<string, SQLOutputValue>;

export type DatabaseOptions = {
  readonly path: string;
  /** Called with the commit's name right before and right after each commit: where a test ends the process. */
  readonly observe?: (point: string) => void;
  /** Seconds that each commit took. */
  readonly measure?: (seconds: number) => void;
  /** Most pages of 4 KiB that the file may have; a full disk that a test can have anywhere. */
  readonly maxPages?: number | undefined;
};

/** How long another process (`claim`) may hold the write lock before a commit is given up. */
const BUSY_TIMEOUT_MS = 5000;

export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #observe: (point: string) => void;
  readonly #measure: (seconds: number) => void;

  /** Opens the file, makes it where it is missing. Throws SQLite's error, or an obstacle for a later version. */
  constructor({ path, observe, measure, maxPages }: DatabaseOptions) {
    this.#observe = observe ?? (() => undefined);
    this.#measure = measure ?? (() => undefined);
    this.#db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;");
    this.#migrate(path);
    if (maxPages !== undefined) this.#db.exec(`PRAGMA max_page_count = ${Math.trunc(maxPages)}`);
  }

  all(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.#statement(sql).all(...values);
  }

  get(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  /** How many rows it changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /**
   * Makes a change whole and synced: when this returns, neither a crash nor a power cut loses it. Throws, with nothing
   * changed, what the change throws, and `busy` where the disk is full.
   */
  commit<T>(point: string, change: () => T): T {
    const start = performance.now();
    const result = this.#transact(point, change);
    this.#measure((performance.now() - start) / 1000);
    return result;
  }

  /** As `commit`, but a power cut may lose it until the next synced commit: for what a peer will say again. */
  commitUnsynced<T>(point: string, change: () => T): T {
    this.#db.exec("PRAGMA synchronous = NORMAL");
    try {
      return this.#transact(point, change);
    } finally {
      this.#db.exec("PRAGMA synchronous = FULL");
    }
  }

  close(): void {
    this.#db.close();
  }

  #transact<T>(point: string, change: () => T): T {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const result = change();
      this.#observe(`${point}: before commit`);
      this.#db.exec("COMMIT");
      this.#observe(`${point}: after commit`);
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw isStorageFailure(error) ? new Trouble("busy", storageWords(error)) : error;
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const prepared = this.#db.prepare(sql);
    this.#statements.set(sql, prepared);
    return prepared;
  }

  #migrate(path: string): void {
    this.#transact("migrate", () => {
      const version = Number(this.get("PRAGMA user_version")?.["user_version"]);
      if (version > SCHEMA_VERSION) {
        throw new Obstacle(`${path} is of version ${version}, this program knows ${SCHEMA_VERSION}`, {
          hint: "a newer relay wrote it: update this program",
        });
      }
      for (const step of SCHEMA_STEPS.slice(version)) this.#db.exec(step);
      if (version < SCHEMA_VERSION) this.#db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    });
  }
}

// Primary result codes of SQLite: https://sqlite.org/rescode.html
const STORAGE_FAILURES: ReadonlyMap<number, string> = new Map([
  [5, "the database is locked"],
  [8, "the database cannot be written"],
  [10, "the disk fails"],
  [13, "the disk is full"],
]);

type SqliteError = Error & { readonly errcode: number };

function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number";
}

/** The primary result code of an error of SQLite's; `undefined` for any other. */
export function sqliteCode(error: unknown): number | undefined {
  return isSqliteError(error) ? error.errcode & 0xff : undefined;
}

function isStorageFailure(error: unknown): error is SqliteError {
  return STORAGE_FAILURES.has(sqliteCode(error) ?? -1);
}

function storageWords(error: SqliteError): string {
  return STORAGE_FAILURES.get(error.errcode & 0xff) ?? error.message;
}

// --- Columns, by the type that the STRICT table gives them ---

export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new Error(`internal error: column ${column} is no text`);
  return value;
}

export function optionalTextOf(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : textOf(row, column);
}

export function wholeOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw new Error(`internal error: column ${column} is no number`);
  return value;
}

export function blobOf(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new Error(`internal error: column ${column} is no blob`);
  return value;
}

export function optionalBlobOf(row: Row, column: string): Uint8Array | undefined {
  return row[column] === null ? undefined : blobOf(row, column);
}
