// Claim codes in the database: only their hashes.
import type { Database } from "./database.ts";
import { optionalTextOf, wholeOf } from "./database.ts";

export type Claim = { readonly expiresAt: number; readonly tenant: string | undefined };

export class ClaimStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  add({ hash, now, expiresAt }: { hash: Uint8Array; now: number; expiresAt: number }): void {
    this.#db.commit("claim", () =>
      this.#db.run("INSERT INTO claim (hash, made_at, expires_at) VALUES (?, ?, ?)", hash, now, expiresAt),
    );
  }

  find(hash: Uint8Array): Claim | undefined {
    const row = this.#db.get("SELECT expires_at, tenant FROM claim WHERE hash = ?", hash);
    return row && { expiresAt: wholeOf(row, "expires_at"), tenant: optionalTextOf(row, "tenant") };
  }

  /** Part of the commit that makes the tenant. */
  use(hash: Uint8Array, tenant: string): void {
    this.#db.run("UPDATE claim SET tenant = ? WHERE hash = ?", tenant, hash);
  }

  /** Whether somebody may hold a code that still works. */
  hasUsable(now: number): boolean {
    return this.#db.get("SELECT 1 FROM claim WHERE tenant IS NULL AND expires_at > ? LIMIT 1", now) !== undefined;
  }
}
