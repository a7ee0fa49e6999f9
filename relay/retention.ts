// Deleting what is older than it may be, a few rows at a time, so that nobody waits for it.
import type { Database } from "./database.ts";
import { PRUNE_BATCH, PRUNE_INTERVAL_MS, REQUEST_LIFETIME_MS, UPLOAD_LIFETIME_MS } from "./limits.ts";
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
    { name: "receipts", sql: deleting("receipt", "received_at <= ?"), before },
    {
      name: "uploads",
      sql: deleting("result", "receipt IS NULL AND started_at <= ?"),
      before: now - UPLOAD_LIFETIME_MS,
    },
    { name: "key requests", sql: deleting("key_request", "filed_at <= ?"), before: now - REQUEST_LIFETIME_MS },
    { name: "proposals", sql: deleting("proposal", "expires_at <= ?"), before: now },
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

function deleting(table: "job" | "receipt" | "result" | "key_request" | "proposal", condition: string): string {
  return `DELETE FROM ${table} WHERE n IN (SELECT n FROM ${table} WHERE ${condition} LIMIT ${PRUNE_BATCH})`;
}

function prune(db: Database, { sql, before }: Rule): number {
  return db.commitUnsynced("prune", () => db.run(sql, before));
}
