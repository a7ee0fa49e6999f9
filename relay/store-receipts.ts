// Receipts and the sealed results that came before them, in the database.
import { RESULT_PART_BYTES } from "../protocol/limits.ts";
import { blobOf, type Database, textOf, wholeOf } from "./database.ts";
import { MAX_UPLOADS } from "./limits.ts";
import type { DeviceKey } from "./store-devices.ts";
import type { Change, JobStore } from "./store-jobs.ts";

export type NewReceipt = Change & { readonly seq: number; readonly bytes: Uint8Array; readonly now: number };
export type Upload = { readonly row: number; readonly size: number; readonly received: number };
export type ResultSlice = { readonly size: number; readonly bytes: Uint8Array };

export class ReceiptStore {
  readonly #db: Database;
  readonly #jobs: JobStore;

  constructor(db: Database, jobs: JobStore) {
    this.#db = db;
    this.#jobs = jobs;
  }

  /** The receipt that has this count. */
  find({ n, device }: DeviceKey, seq: number): Uint8Array | undefined {
    const sql = "SELECT bytes FROM receipt WHERE tenant = ? AND device = ? AND seq = ?";
    const row = this.#db.get(sql, n, device, seq);
    return row && blobOf(row, "bytes");
  }

  /** Stores a receipt with the upload of its result, if there is one, and marks the delivery answered; synced. */
  add(receipt: NewReceipt, upload: Upload | undefined): void {
    this.#db.commit("receipt", () => {
      const row = this.#insert(receipt, this.#jobs.answer(receipt));
      if (upload !== undefined) this.#db.run("UPDATE result SET receipt = ? WHERE n = ?", row, upload.row);
      const sql = "UPDATE device SET receipts = max(receipts, ?), seen_at = ? WHERE tenant = ? AND id = ?";
      this.#db.run(sql, receipt.seq, receipt.now, receipt.n, receipt.device);
    });
  }

  countForeign({ n, device }: DeviceKey): number {
    const sql = "SELECT count(*) AS count FROM receipt WHERE tenant = ? AND device = ? AND is_foreign = 1";
    const row = this.#db.get(sql, n, device);
    return row === undefined ? 0 : wholeOf(row, "count");
  }

  /** Receipts of a device from a count on, in order. */
  list({ n, device }: DeviceKey, { from, limit }: { from: number; limit: number }): readonly Uint8Array[] {
    const sql = "SELECT bytes FROM receipt WHERE tenant = ? AND device = ? AND seq >= ? ORDER BY seq LIMIT ?";
    return this.#db.all(sql, n, device, from, limit).map((row) => blobOf(row, "bytes"));
  }

  /** The first answer of each device to a job: a later one only says that it took the job before. */
  ofJob({ n, job }: { n: number; job: string }): ReadonlyMap<string, Uint8Array> {
    const sql = "SELECT device, bytes, min(seq) FROM receipt WHERE tenant = ? AND job = ? GROUP BY device";
    return new Map(this.#db.all(sql, n, job).map((row) => [textOf(row, "device"), blobOf(row, "bytes")]));
  }

  /** A device's answers to a job before a count, newest first. */
  answers({ n, job, device }: Change, { before, limit }: { before: number; limit: number }): readonly Uint8Array[] {
    const sql = `SELECT bytes FROM receipt WHERE tenant = ? AND job = ? AND device = ? AND seq < ?
      ORDER BY seq DESC LIMIT ?`;
    return this.#db.all(sql, n, job, device, before, limit).map((row) => blobOf(row, "bytes"));
  }

  // --- Results ---

  upload({ n, job, device }: Change): Upload | undefined {
    const sql = "SELECT n, size, received FROM result WHERE tenant = ? AND device = ? AND job = ? AND receipt IS NULL";
    const row = this.#db.get(sql, n, device, job);
    return row && { row: wholeOf(row, "n"), size: wholeOf(row, "size"), received: wholeOf(row, "received") };
  }

  /**
   * Begins an upload with its first part, in place of one that was begun before; the oldest of many is dropped. Not
   * synced: its receipt's commit is.
   */
  begin({ n, job, device }: Change, { size, bytes, now }: { size: number; bytes: Uint8Array; now: number }): void {
    this.#db.commitUnsynced("result part", () => {
      this.#drop({ n, job, device });
      const old = `DELETE FROM result WHERE n IN (SELECT n FROM result
        WHERE tenant = ? AND device = ? AND receipt IS NULL ORDER BY n DESC LIMIT -1 OFFSET ?)`;
      this.#db.run(old, n, device, MAX_UPLOADS - 1);
      const sql = "INSERT INTO result (tenant, device, job, size, started_at) VALUES (?, ?, ?, ?, ?) RETURNING n";
      const row = this.#db.get(sql, n, device, job, size, now);
      if (row === undefined) throw new Error("internal error: a result that was not stored");
      this.#addPart({ n, row: wholeOf(row, "n"), at: 0, bytes });
    });
  }

  /** Drops an upload whose receipt is stored already. */
  dropUpload(change: Change): void {
    if (this.upload(change) !== undefined) this.#db.commitUnsynced("drop upload", () => this.#drop(change));
  }

  /** Drops what a device has uploaded without a receipt, but for what it goes on with on a new connection. */
  dropUploads({ n, device }: DeviceKey): void {
    const sql = "DELETE FROM result WHERE tenant = ? AND device = ? AND receipt IS NULL AND size <= ?";
    this.#db.commitUnsynced("drop uploads", () => this.#db.run(sql, n, device, RESULT_PART_BYTES));
  }

  /** Adds the next part. Not synced, as `begin`. */
  extend(n: number, upload: Upload, bytes: Uint8Array): void {
    this.#db.commitUnsynced("result part", () => this.#addPart({ n, row: upload.row, at: upload.received, bytes }));
  }

  /** A stored part, from `offset` to the part's end, of the result of receipt `seq`, or of the first; empty beyond the result's end. */
  readResult(
    { n, job, device }: Change,
    { offset, seq }: { offset: number; seq: number | undefined },
  ): ResultSlice | undefined {
    const sql = `SELECT result.n, result.size FROM result JOIN receipt ON receipt.n = result.receipt
      WHERE receipt.tenant = ? AND receipt.job = ? AND receipt.device = ? AND receipt.seq BETWEEN ? AND ?
      ORDER BY receipt.seq LIMIT 1`;
    const row = this.#db.get(sql, n, job, device, seq ?? 0, seq ?? Number.MAX_SAFE_INTEGER);
    if (row === undefined) return undefined;
    const part = this.#partAt(wholeOf(row, "n"), offset);
    return { size: wholeOf(row, "size"), bytes: part ?? new Uint8Array(0) };
  }

  #drop({ n, job, device }: Change): void {
    const sql = "DELETE FROM result WHERE tenant = ? AND device = ? AND job = ? AND receipt IS NULL";
    this.#db.run(sql, n, device, job);
  }

  #partAt(result: number, offset: number): Uint8Array | undefined {
    const sql = "SELECT at, bytes FROM result_part WHERE result = ? AND at <= ? ORDER BY at DESC LIMIT 1";
    const row = this.#db.get(sql, result, offset);
    return row && blobOf(row, "bytes").subarray(offset - wholeOf(row, "at"));
  }

  #addPart({ n, row, at, bytes }: { n: number; row: number; at: number; bytes: Uint8Array }): void {
    this.#db.run("INSERT INTO result_part (result, at, tenant, bytes) VALUES (?, ?, ?, ?)", row, at, n, bytes);
    this.#db.run("UPDATE result SET received = received + ? WHERE n = ?", bytes.length, row);
  }

  #insert({ n, device, seq, job, bytes, now }: NewReceipt, isKnown: boolean): number {
    const sql = `INSERT INTO receipt (tenant, device, seq, job, is_foreign, bytes, received_at)
      VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING n`;
    const row = this.#db.get(sql, n, device, seq, job, isKnown ? 0 : 1, bytes, now);
    if (row === undefined) throw new Error("internal error: a receipt that was not stored");
    return wholeOf(row, "n");
  }
}
