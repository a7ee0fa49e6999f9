// Deleting what is older than it may be, a few rows at a time, so that nobody waits for it.
import type { Database } from "./database.ts";
import { BLOB_KEPT_MS, PRUNE_BATCH, PRUNE_INTERVAL_MS, REQUEST_LIFETIME_MS, UPLOAD_LIFETIME_MS } from "./limits.ts";
import type { Relay } from "./relay.ts";

type Rule = { readonly name: string; readonly sql: string; readonly before: number };

/** Deletes hourly, until stopped. */
export class Retention {
  readonly #relay: Relay;
  readonly #retentionMs: number;
  readonly #timer: NodeJS.Timeout;
  #next: NodeJS.Immediate | undefined;

  constructor(
    relay: Relay,
    { retentionMs, intervalMs = PRUNE_INTERVAL_MS }: { retentionMs: number; intervalMs?: number | undefined },
  ) {
    this.#relay = relay;
    this.#retentionMs = retentionMs;
    this.#timer = setInterval(() => this.#round(), intervalMs);
    this.#round();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#next);
  }

  #round(): void {
    this.#go(rulesAt(this.#relay.now(), this.#retentionMs));
  }

  /** One batch of the first rule, then the others get their turn of the event loop. */
  #go(rules: readonly Rule[]): void {
    const [rule, ...later] = rules;
    if (rule === undefined) return;
    clearImmediate(this.#next);
    this.#next = setImmediate(() => this.#go(this.#prune(rule) < PRUNE_BATCH ? later : rules));
  }

  #prune(rule: Rule): number {
    const { store, metrics, log } = this.#relay;
    try {
      const rows = prune(store.db, rule);
      metrics.pruned(rows);
      if (rows > 0) log.info({ rows, of: rule.name }, "pruned");
      return rows;
    } catch (error) {
      log.error({ err: error, of: rule.name }, "could not prune");
      return 0;
    }
  }
}

/** Jobs live for at most 30 days, so that none that is older than the retention still waits; results go with their receipts. */
function rulesAt(now: number, retentionMs: number): readonly Rule[] {
  const before = now - retentionMs;
  return [
    { name: "jobs", sql: deleting("job", "submitted_at <= ?"), before },
    { name: "parts of results", sql: OLD_PARTS, before },
    { name: "receipts", sql: deleting("receipt", "received_at <= ?"), before },
    {
      name: "uploads",
      sql: deleting("result", "receipt IS NULL AND started_at <= ?"),
      before: now - UPLOAD_LIFETIME_MS,
    },
    { name: "key requests", sql: deleting("key_request", "filed_at <= ?"), before: now - REQUEST_LIFETIME_MS },
    { name: "proposals", sql: deleting("proposal", "expires_at <= ?"), before: now },
    ...blobRules(now),
    {
      name: "pending devices",
      sql: `DELETE FROM device WHERE rowid IN
        (SELECT rowid FROM device WHERE in_roster = 0 AND removed = 0 AND seen_at <= ? LIMIT ${PRUNE_BATCH})`,
      before,
    },
    {
      name: "claims",
      sql: `DELETE FROM claim WHERE hash IN (SELECT hash FROM claim WHERE expires_at <= ? LIMIT ${PRUNE_BATCH})`,
      before,
    },
  ];
}

/** Before their receipts, because a fetched file has 400 of them. */
const OLD_PARTS = `DELETE FROM result_part WHERE rowid IN (SELECT part.rowid FROM receipt
  JOIN result ON result.receipt = receipt.n JOIN result_part AS part ON part.result = result.n
  WHERE received_at <= ? LIMIT ${PRUNE_BATCH})`;

/** A file goes when nothing needs it and it was not spoken of for a while; in steps, because it may have 400 parts. */
function blobRules(now: number): readonly Rule[] {
  const unneeded = `SELECT blob.n FROM blob WHERE gone = 0 AND touched_at <= ?1
    AND NOT EXISTS (SELECT 1 FROM blob_use JOIN delivery ON delivery.job = blob_use.job WHERE blob_use.blob = blob.n
      AND delivery.state IN ('queued', 'taken') AND delivery.expires_at > ?1 + ${BLOB_KEPT_MS})
    AND NOT EXISTS (SELECT 1 FROM blob_use WHERE blob_use.blob = blob.n AND proposal IS NOT NULL)
    LIMIT ${PRUNE_BATCH}`;
  const parts =
    "SELECT part.rowid FROM blob JOIN blob_part AS part ON part.blob = blob.n WHERE gone = 1 AND touched_at <= ?1";
  const empty =
    "SELECT n FROM blob WHERE gone = 1 AND touched_at <= ?1 AND NOT EXISTS (SELECT 1 FROM blob_part WHERE blob = blob.n)";
  return [
    { name: "files", sql: `UPDATE blob SET gone = 1 WHERE n IN (${unneeded})`, before: now - BLOB_KEPT_MS },
    {
      name: "parts of files",
      sql: `DELETE FROM blob_part WHERE rowid IN (${parts} LIMIT ${PRUNE_BATCH})`,
      before: now,
    },
    { name: "emptied files", sql: `DELETE FROM blob WHERE n IN (${empty} LIMIT ${PRUNE_BATCH})`, before: now },
  ];
}

function deleting(table: "job" | "receipt" | "result" | "key_request" | "proposal", condition: string): string {
  return `DELETE FROM ${table} WHERE n IN (SELECT n FROM ${table} WHERE ${condition} LIMIT ${PRUNE_BATCH})`;
}

function prune(db: Database, { sql, before }: Rule): number {
  return db.commitUnsynced("prune", () => db.run(sql, before));
}
