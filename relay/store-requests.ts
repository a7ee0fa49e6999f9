// Requests for keys in the database: those that wait for an admin, and for a while those that were rejected.
import { MAX_OPEN_REQUESTS } from "../protocol/limits.ts";
import { blobOf, type Database, type Row, textOf, wholeOf } from "./database.ts";
import { MAX_OPERATOR_REQUESTS, REQUEST_LIFETIME_MS } from "./limits.ts";
import { Trouble } from "./trouble.ts";

/** A tenant's row and a request's statement id. */
export type RequestKey = { readonly n: number; readonly id: string };
/** `key` is the thumbprint of the key that it asks for, which is the one that filed it. */
export type StoredRequest = { readonly id: string; readonly key: string; readonly isOpen: boolean };
export type OpenRequest = StoredRequest & { readonly filedAt: number; readonly bytes: Uint8Array };
export type NewRequest = RequestKey & {
  readonly key: string;
  readonly operator: string;
  readonly bytes: Uint8Array;
  readonly now: number;
};

export class RequestStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** `undefined` also for one whose time is over. */
  find({ n, id }: RequestKey, now: number): StoredRequest | undefined {
    const sql = "SELECT id, key, state FROM key_request WHERE tenant = ? AND id = ? AND filed_at > ?";
    const row = this.#db.get(sql, n, id, now - REQUEST_LIFETIME_MS);
    return row && requestOf(row);
  }

  /** Oldest first. */
  open(n: number, now: number): readonly OpenRequest[] {
    const sql = `SELECT id, key, state, filed_at, bytes FROM key_request
      WHERE tenant = ? AND state = 'open' AND filed_at > ? ORDER BY n`;
    return this.#db.all(sql, n, now - REQUEST_LIFETIME_MS).map((row) => ({
      ...requestOf(row),
      filedAt: wholeOf(row, "filed_at"),
      bytes: blobOf(row, "bytes"),
    }));
  }

  /**
   * Keeps a request in place of the key's own before it, and of the oldest for its operator where there are many; answers
   * the latter. Synced. Throws `quota`, with nothing changed, where as many are open as may be.
   */
  file({ n, id, key, operator, bytes, now }: NewRequest): readonly StoredRequest[] {
    return this.#db.commit("key request", () => {
      this.#db.run("DELETE FROM key_request WHERE tenant = ? AND filed_at <= ?", n, now - REQUEST_LIFETIME_MS);
      this.#db.run("DELETE FROM key_request WHERE tenant = ? AND key = ? AND state = 'open'", n, key);
      const replaced = this.#dropOldest(n, operator);
      if (this.#countOpen(n) >= MAX_OPEN_REQUESTS) throw new Trouble("quota", `${MAX_OPEN_REQUESTS} open requests`);
      const sql = "INSERT INTO key_request (tenant, id, key, operator, filed_at, bytes) VALUES (?, ?, ?, ?, ?, ?)";
      this.#db.run(sql, n, id, key, operator, now, bytes);
      return replaced;
    });
  }

  /** Marks a request as rejected, so that it is not filed again; synced. */
  reject({ n, id }: RequestKey): void {
    const sql = "UPDATE key_request SET state = 'rejected' WHERE tenant = ? AND id = ?";
    this.#db.commit("reject request", () => this.#db.run(sql, n, id));
  }

  /** Drops the open request of a key; synced. `false`: there is none. */
  withdraw({ n, key }: { readonly n: number; readonly key: string }): boolean {
    const sql = "DELETE FROM key_request WHERE tenant = ? AND key = ? AND state = 'open'";
    return this.#db.commit("withdraw request", () => this.#db.run(sql, n, key) > 0);
  }

  /** Part of the commit of a key event: what these keys asked for is decided. Answers how many there were. */
  dropKeys(n: number, keys: readonly string[]): number {
    const drop = "DELETE FROM key_request WHERE tenant = ? AND key = ?";
    return keys.reduce((sum, key) => sum + this.#db.run(drop, n, key), 0);
  }

  /** Part of the commit of a reset. */
  dropAll(n: number): void {
    this.#db.run("DELETE FROM key_request WHERE tenant = ?", n);
  }

  #dropOldest(n: number, operator: string): readonly StoredRequest[] {
    const sql = `SELECT n, id, key, state FROM key_request
      WHERE tenant = ? AND operator = ? AND state = 'open' ORDER BY n DESC LIMIT -1 OFFSET ?`;
    const rows = this.#db.all(sql, n, operator, MAX_OPERATOR_REQUESTS - 1);
    for (const row of rows) this.#db.run("DELETE FROM key_request WHERE n = ?", wholeOf(row, "n"));
    return rows.map(requestOf);
  }

  #countOpen(n: number): number {
    const row = this.#db.get("SELECT count(*) AS count FROM key_request WHERE tenant = ? AND state = 'open'", n);
    return row === undefined ? 0 : wholeOf(row, "count");
  }
}

function requestOf(row: Row): StoredRequest {
  return { id: textOf(row, "id"), key: textOf(row, "key"), isOpen: textOf(row, "state") === "open" };
}
