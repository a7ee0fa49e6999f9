// Tenants, their key logs and rosters, and their operators' newest checkpoints, in the database.
import { MAX_PAGE, PAGE_BYTES } from "../protocol/limits.ts";
import type { LogName } from "../protocol/wire-fields.ts";
import { blobOf, type Database, optionalTextOf, textOf, wholeOf } from "./database.ts";

/** `retiredBy`: the tenant that took this one's place here. */
export type StoredTenant = { readonly n: number; readonly id: string; readonly retiredBy: string | undefined };
export type StoredEntry = { readonly seq: number; readonly id: string; readonly bytes: Uint8Array };
/** Where in which log: `n` is the tenant's row. */
export type LogKey = { readonly n: number; readonly log: LogName };
export type Page = { readonly entries: readonly Uint8Array[]; readonly more: boolean };

export class LogStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  hasTenants(): boolean {
    return this.#db.get("SELECT 1 FROM tenant LIMIT 1") !== undefined;
  }

  tenant(id: string): StoredTenant | undefined {
    const row = this.#db.get("SELECT n, retired_by FROM tenant WHERE id = ?", id);
    return row && { n: wholeOf(row, "n"), id, retiredBy: optionalTextOf(row, "retired_by") };
  }

  /** Ids that begin with these characters of base64url. */
  tenantsBeginning(beginning: string): readonly string[] {
    const sql = "SELECT id FROM tenant WHERE id >= ? AND id < ?";
    return this.#db.all(sql, beginning, `${beginning}~`).map((row) => textOf(row, "id"));
  }

  /** Part of the commit that makes the tenant in its place. */
  retire(n: number, by: string): void {
    this.#db.run("UPDATE tenant SET retired_by = ? WHERE n = ?", by, n);
  }

  storedBytes(n: number): number {
    const row = this.#db.get("SELECT stored_bytes FROM tenant WHERE n = ?", n);
    return row === undefined ? 0 : wholeOf(row, "stored_bytes");
  }

  /** Part of a commit. */
  addTenant({ id, genesis, now }: { id: string; genesis: Uint8Array; now: number }): void {
    this.#db.run("INSERT INTO tenant (id, made_at) VALUES (?, ?)", id, now);
    const tenant = this.tenant(id);
    if (tenant === undefined) throw new Error("internal error: a tenant that was not stored");
    this.append({ n: tenant.n, log: "key" }, { seq: 0, id, bytes: genesis });
  }

  /** Part of a commit; a place that is taken fails it. */
  append({ n, log }: LogKey, { seq, id, bytes }: StoredEntry): void {
    this.#db.run("INSERT INTO entry (tenant, log, seq, id, bytes) VALUES (?, ?, ?, ?, ?)", n, log, seq, id, bytes);
  }

  has({ n, log }: LogKey, id: string): boolean {
    return this.#db.get("SELECT 1 FROM entry WHERE tenant = ? AND log = ? AND id = ?", n, log, id) !== undefined;
  }

  /** Every entry from a place on, in order, a page at a time in memory. */
  *entries(key: LogKey, from: number): Generator<StoredEntry> {
    for (let rows = this.#rows(key, from); rows.length > 0; rows = this.#rows(key, (rows.at(-1)?.seq ?? 0) + 1)) {
      yield* rows;
    }
  }

  /** Entries from a place on, as many as fit one answer. */
  page(key: LogKey, from: number): Page {
    return pageOf(this.#rows(key, from).map(({ bytes }) => bytes));
  }

  /** Entries of the roster that are about one device, in order. */
  aboutDevice(n: number, device: string): readonly Uint8Array[] {
    const rows = this.#db.all(
      `SELECT entry.bytes FROM roster_mention AS mention
       JOIN entry ON entry.tenant = mention.tenant AND entry.log = 'roster' AND entry.seq = mention.seq
       WHERE mention.tenant = ? AND mention.device = ? ORDER BY mention.seq`,
      n,
      device,
    );
    return rows.map((row) => blobOf(row, "bytes"));
  }

  /** Part of a commit. */
  mention({ n, device, seq }: { n: number; device: string; seq: number }): void {
    this.#db.run("INSERT INTO roster_mention (tenant, device, seq) VALUES (?, ?, ?)", n, device, seq);
  }

  rosterSnapshot(n: number): string | undefined {
    const row = this.#db.get("SELECT json FROM roster_snapshot WHERE tenant = ?", n);
    return row && textOf(row, "json");
  }

  /** Part of a commit. */
  saveRosterSnapshot({ n, seq, json }: { n: number; seq: number; json: string }): void {
    this.#db.run("INSERT OR REPLACE INTO roster_snapshot (tenant, seq, json) VALUES (?, ?, ?)", n, seq, json);
  }

  checkpoints(n: number): readonly Uint8Array[] {
    const rows = this.#db.all("SELECT bytes FROM checkpoint WHERE tenant = ? ORDER BY time", n);
    return rows.map((row) => blobOf(row, "bytes"));
  }

  /** Keeps an operator's checkpoint if it is newer than the one kept, and says whether it is. */
  saveCheckpoint({ n, operator, time, bytes }: { n: number; operator: string; time: number; bytes: Uint8Array }) {
    return this.#db.commit("checkpoint", () => {
      const sql = `INSERT INTO checkpoint (tenant, operator, time, bytes) VALUES (?, ?, ?, ?)
        ON CONFLICT (tenant, operator) DO UPDATE SET time = excluded.time, bytes = excluded.bytes
        WHERE excluded.time > checkpoint.time`;
      return this.#db.run(sql, n, operator, time, bytes) > 0;
    });
  }

  #rows({ n, log }: LogKey, from: number): readonly StoredEntry[] {
    const sql = "SELECT seq, id, bytes FROM entry WHERE tenant = ? AND log = ? AND seq >= ? ORDER BY seq LIMIT ?";
    const rows = this.#db.all(sql, n, log, from, MAX_PAGE + 1);
    return rows.map((row) => ({ seq: wholeOf(row, "seq"), id: textOf(row, "id"), bytes: blobOf(row, "bytes") }));
  }
}

/** As many as fit one answer by count and bytes, and at least one. `all` is one more than the count, where there are more. */
export function pageOf(all: readonly Uint8Array[], { maxCount = MAX_PAGE, maxBytes = PAGE_BYTES } = {}): Page {
  let bytes = 0;
  const fits = all.findIndex((entry, i) => (bytes += entry.length) > maxBytes && i > 0);
  const count = Math.min(maxCount, fits < 0 ? all.length : fits);
  return { entries: all.slice(0, count), more: count < all.length };
}
