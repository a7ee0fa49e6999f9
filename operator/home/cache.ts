// What this client has verified and pins: the key log, the roster, each device's receipt chain, and the jobs that it sent.
// It can be lost: everything comes back from the relay, but then nothing tells whether the relay went back in time.
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import type { LogPlace } from "../../protocol/fields.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import type { KeyLogView } from "../../protocol/key-view.ts";
import { refuse } from "../../protocol/refusal.ts";
import { emptyRoster, type Roster, type RosterSnapshot, restoreRoster, snapshotRoster } from "../../protocol/roster.ts";
import { HOME_WAIT_MS } from "../limits.ts";
import { databaseFault } from "./home-lock.ts";
import { makePrivate } from "./stored-file.ts";

const SCHEMA = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA trusted_schema = OFF;
CREATE TABLE IF NOT EXISTS judged (name TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS key_entry (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS receipt (device TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (device, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS known_head (device TEXT PRIMARY KEY, receipt INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS vouch (operator TEXT PRIMARY KEY, seq INTEGER NOT NULL, id TEXT NOT NULL, time INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent_job (job TEXT PRIMARY KEY, batch TEXT NOT NULL, sent INTEGER NOT NULL, label TEXT NOT NULL, targets INTEGER NOT NULL) STRICT;
`;

export type ReceiptPlace = { readonly seq: number; readonly id: string };
/** The latest place of the key log that a device has signed for, and the count of the newest receipt that was looked at. */
export type KnownHead = { readonly receipt: number; readonly seq: number; readonly id: string };
/** What an operator's newest checkpoint says of the key log, and when it was signed. */
export type Vouch = { readonly keyHead: LogPlace; readonly time: number };
export type SentJob = {
  readonly job: string;
  readonly batch: string;
  readonly sent: number;
  readonly label: string;
  readonly targets: number;
};
export type KeyEntry = { readonly seq: number; readonly id: string; readonly bytes: Uint8Array };

/** A roster that an earlier version kept does not say who was removed; it is as good as none. */
type KeptRoster = Omit<RosterSnapshot, "removed"> & Partial<Pick<RosterSnapshot, "removed">>;

export class Cache implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;

  /** Opens or makes the cache of a home. Throws `disk-full` or `home-busy`. */
  constructor(folder: string) {
    this.#path = join(folder, "cache.db");
    makePrivate(this.#path);
    try {
      this.#db = new DatabaseSync(this.#path, { timeout: HOME_WAIT_MS });
      this.#db.exec(SCHEMA);
    } catch (error) {
      throw databaseFault(error, this.#path);
    }
  }

  keyState(): KeyLogState | undefined {
    const json = this.#judged("key-log");
    if (json === undefined) return undefined;
    const state: KeyLogState = JSON.parse(json);
    return state;
  }

  keyEntry(seq: number): KeyEntry | undefined {
    const row = this.#db.prepare("SELECT seq, id, bytes FROM key_entry WHERE seq = ?").get(seq);
    return row === undefined ? undefined : keyEntryOf(row);
  }

  /** Every entry's envelope, from the first. */
  keyEntries(): readonly KeyEntry[] {
    return this.#db.prepare("SELECT seq, id, bytes FROM key_entry ORDER BY seq").all().map(keyEntryOf);
  }

  keyView(state: KeyLogState): KeyLogView {
    return { state, idAt: (seq) => (seq > state.head.seq ? undefined : this.keyEntry(seq)?.id) };
  }

  /** Adds judged entries and the state after them, both or neither. */
  addKeyEntries(entries: readonly KeyEntry[], state: KeyLogState): void {
    this.#transact(() => {
      const insert = this.#db.prepare("INSERT INTO key_entry (seq, id, bytes) VALUES (?, ?, ?)");
      for (const { seq, id, bytes } of entries) insert.run(seq, id, bytes);
      this.#keep("key-log", state);
    });
  }

  keepKeyState(state: KeyLogState): void {
    this.#transact(() => this.#keep("key-log", state));
  }

  roster(tenant: string): Roster {
    const json = this.#judged("roster");
    if (json === undefined) return emptyRoster(tenant);
    const { removed, ...snapshot }: KeptRoster = JSON.parse(json);
    return removed === undefined ? emptyRoster(tenant) : restoreRoster({ ...snapshot, removed });
  }

  keepRoster(roster: Roster): void {
    this.#transact(() => this.#keep("roster", snapshotRoster(roster)));
  }

  /** The last receipt of a device that this client has verified in its chain. */
  chainHead(device: string): ReceiptPlace | undefined {
    const row = this.#db.prepare("SELECT seq, id FROM receipt WHERE device = ? ORDER BY seq DESC LIMIT 1").get(device);
    return row === undefined ? undefined : { seq: count(row["seq"]), id: word(row["id"]) };
  }

  receiptId(device: string, seq: number): string | undefined {
    const row = this.#db.prepare("SELECT id FROM receipt WHERE device = ? AND seq = ?").get(device, seq);
    return row === undefined ? undefined : word(row["id"]);
  }

  /** Adds verified receipts to a device's chain. Throws `receipt-chain` where another command has kept another one meanwhile. */
  addReceipts(device: string, places: readonly ReceiptPlace[], head: KnownHead): void {
    this.#transact(() => {
      const insert = this.#db.prepare("INSERT OR IGNORE INTO receipt (device, seq, id) VALUES (?, ?, ?)");
      for (const { seq, id } of places) {
        insert.run(device, seq, id);
        if (this.receiptId(device, seq) !== id) throw refuse("receipt-chain", `receipt ${seq} of ${device} is ${id}`);
      }
      this.#keepKnownHead(device, head);
    });
  }

  knownHead(device: string): KnownHead | undefined {
    const row = this.#db.prepare("SELECT receipt, seq, id FROM known_head WHERE device = ?").get(device);
    return row && { receipt: count(row["receipt"]), seq: count(row["seq"]), id: word(row["id"]) };
  }

  keepKnownHead(device: string, head: KnownHead): void {
    this.#transact(() => this.#keepKnownHead(device, head));
  }

  /** Keeps places that devices signed for in reports, all or none; one that is no later than what is kept changes nothing. */
  keepReportedHeads(heads: ReadonlyMap<string, LogPlace>): void {
    this.#transact(() => {
      for (const [device, place] of heads) this.#keepKnownHead(device, { receipt: 0, ...place });
    });
  }

  /** The newest checkpoint of each operator that was ever seen here, by operator id. */
  vouches(): ReadonlyMap<string, Vouch> {
    const rows = this.#db.prepare("SELECT operator, seq, id, time FROM vouch").all();
    return new Map(
      rows.map((row) => {
        const keyHead = { seq: count(row["seq"]), id: word(row["id"]) };
        return [word(row["operator"]), { keyHead, time: count(row["time"]) }];
      }),
    );
  }

  /** Keeps a checkpoint unless a newer one of this operator is kept. */
  keepVouch(operator: string, { keyHead: { seq, id }, time }: Vouch): void {
    const upsert = `INSERT INTO vouch (operator, seq, id, time) VALUES (?, ?, ?, ?)
      ON CONFLICT (operator) DO UPDATE SET seq = excluded.seq, id = excluded.id, time = excluded.time
      WHERE excluded.time > time`;
    this.#transact(() => this.#db.prepare(upsert).run(operator, seq, id, time));
  }

  sentJobs(): readonly SentJob[] {
    const rows = this.#db.prepare("SELECT job, batch, sent, label, targets FROM sent_job ORDER BY sent DESC").all();
    return rows.map((row) => ({
      job: word(row["job"]),
      batch: word(row["batch"]),
      sent: count(row["sent"]),
      label: word(row["label"]),
      targets: count(row["targets"]),
    }));
  }

  addSentJob({ job, batch, sent, label, targets }: SentJob): void {
    const insert = "INSERT OR REPLACE INTO sent_job (job, batch, sent, label, targets) VALUES (?, ?, ?, ?, ?)";
    this.#transact(() => void this.#db.prepare(insert).run(job, batch, sent, label, targets));
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #keepKnownHead(device: string, { receipt, seq, id }: KnownHead): void {
    const upsert = `INSERT INTO known_head (device, receipt, seq, id) VALUES (?, ?, ?, ?)
      ON CONFLICT (device) DO UPDATE SET receipt = max(receipt, excluded.receipt),
        id = iif(excluded.seq > seq, excluded.id, id), seq = max(seq, excluded.seq)`;
    this.#db.prepare(upsert).run(device, receipt, seq, id);
  }

  /** JSON that this class wrote, in a folder that only its user can write to. */
  #judged(name: string): string | undefined {
    const row = this.#db.prepare("SELECT json FROM judged WHERE name = ?").get(name);
    return row === undefined ? undefined : word(row["json"]);
  }

  #keep(name: string, value: KeyLogState | RosterSnapshot): void {
    const upsert =
      "INSERT INTO judged (name, json) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET json = excluded.json";
    this.#db.prepare(upsert).run(name, JSON.stringify(value));
  }

  #transact(change: () => void): void {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        change();
        this.#db.exec("COMMIT");
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    } catch (error) {
      throw databaseFault(error, this.#path);
    }
  }
}

function keyEntryOf(row: Record<string, SQLOutputValue>): KeyEntry {
  const { bytes } = row;
  if (!(bytes instanceof Uint8Array)) throw new Error("internal error: an entry without bytes");
  return { seq: count(row["seq"]), id: word(row["id"]), bytes };
}

function word(value: SQLOutputValue | undefined): string {
  if (typeof value !== "string") throw new Error("internal error: a row without its text");
  return value;
}

function count(value: SQLOutputValue | undefined): number {
  if (typeof value !== "number") throw new Error("internal error: a row without its number");
  return value;
}
