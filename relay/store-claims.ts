// Claim codes in the database: only their hashes.
import type { Database } from "./database.ts";
import { optionalTextOf, wholeOf } from "./database.ts";

/** `tenant` is the one that was made with it; `retires` the one whose place that takes. */
export type Claim = {
  readonly expiresAt: number;
  readonly tenant: string | undefined;
  readonly retires: string | undefined;
};
export type NewClaim = {
  readonly hash: Uint8Array;
  readonly now: number;
  readonly expiresAt: number;
  readonly retires: string | undefined;
};

export class ClaimStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  add({ hash, now, expiresAt, retires }: NewClaim): void {
    const sql = "INSERT INTO claim (hash, made_at, expires_at, retires) VALUES (?, ?, ?, ?)";
    this.#db.commit("claim", () => this.#db.run(sql, hash, now, expiresAt, retires ?? null));
  }

  find(hash: Uint8Array): Claim | undefined {
    const row = this.#db.get("SELECT expires_at, tenant, retires FROM claim WHERE hash = ?", hash);
    if (row === undefined) return undefined;
    return {
      expiresAt: wholeOf(row, "expires_at"),
      tenant: optionalTextOf(row, "tenant"),
      retires: optionalTextOf(row, "retires"),
    };
  }

  /** Part of the commit that makes the tenant. */
  use(hash: Uint8Array, tenant: string): void {
    this.#db.run("UPDATE claim SET tenant = ? WHERE hash = ?", tenant, hash);
  }

  /** Whether somebody may hold a code that still works. */
  hasUsable(now: number): boolean {
    return (
      this.#db.get("SELECT 1 FROM claim WHERE tenant IS NULL AND retires IS NULL AND expires_at > ? LIMIT 1", now) !==
      undefined
    );
  }
}
