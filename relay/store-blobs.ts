// Sealed files that jobs bring, in the database: by tenant and digest, in parts, with what still needs them.
import { blobOf, type Database, type Row, wholeOf } from "./database.ts";
import { MAX_BLOBS, MAX_OPEN_BLOBS } from "./limits.ts";
import { Trouble } from "./trouble.ts";

/** A tenant's row and the digest that a blob is known by. */
export type BlobKey = { readonly n: number; readonly blob: string };
export type StoredBlob = { readonly row: number; readonly size: number; readonly received: number };
export type BlobSlice = { readonly size: number; readonly bytes: Uint8Array };
/** What names blobs: a job or a proposal, by its row. */
export type BlobUse = { readonly job: number } | { readonly proposal: number };

export class BlobStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  find({ n, blob }: BlobKey): StoredBlob | undefined {
    const row = this.#db.get("SELECT n, size, received FROM blob WHERE tenant = ? AND id = ? AND gone = 0", n, blob);
    return row && storedOf(row);
  }

  /** It was spoken of: it is kept for a while more. Not synced, as its parts. */
  touch({ n, blob }: BlobKey, now: number): void {
    const sql = "UPDATE blob SET touched_at = max(touched_at, ?) WHERE tenant = ? AND id = ? AND gone = 0";
    this.#db.commitUnsynced("touch blob", () => this.#db.run(sql, now, n, blob));
  }

  /**
   * Begins a blob with its first part, in place of one that was not completed; the oldest of many such is given up. Not synced: the
   * commit of the job that names it is. Throws `quota` where the tenant has as many as it may.
   */
  begin({ n, blob }: BlobKey, { size, bytes, now }: { size: number; bytes: Uint8Array; now: number }): void {
    this.#db.commitUnsynced("blob part", () => {
      this.#db.run("UPDATE blob SET gone = 1 WHERE tenant = ? AND id = ? AND gone = 0 AND received < size", n, blob);
      const old = `UPDATE blob SET gone = 1 WHERE n IN (SELECT n FROM blob
        WHERE tenant = ? AND gone = 0 AND received < size ORDER BY n DESC LIMIT -1 OFFSET ?)`;
      this.#db.run(old, n, MAX_OPEN_BLOBS - 1);
      if (this.#count(n) >= MAX_BLOBS) throw new Trouble("quota", `${MAX_BLOBS} files of jobs`);
      const sql = "INSERT INTO blob (tenant, id, size, touched_at) VALUES (?, ?, ?, ?) RETURNING n";
      const row = this.#db.get(sql, n, blob, size, now);
      if (row === undefined) throw new Error("internal error: a blob that was not stored");
      this.#addPart(n, { row: wholeOf(row, "n"), at: 0, bytes });
    });
  }

  /** Adds the next part. Not synced, as `begin`. */
  extend(n: number, { row, received }: StoredBlob, bytes: Uint8Array): void {
    this.#db.commitUnsynced("blob part", () => this.#addPart(n, { row, at: received, bytes }));
  }

  /** Part of the commit that stores what names them. Throws `blob-unknown` where one of them is not complete. */
  use(n: number, blobs: readonly string[], { use, now }: { use: BlobUse; now: number }): void {
    for (const blob of blobs) {
      const stored = this.find({ n, blob });
      if (stored === undefined || stored.received < stored.size) throw new Trouble("blob-unknown", blob);
      this.#db.run("UPDATE blob SET touched_at = max(touched_at, ?) WHERE n = ?", now, stored.row);
      const [job, proposal] = "job" in use ? [use.job, null] : [null, use.proposal];
      this.#db.run("INSERT INTO blob_use (blob, job, proposal) VALUES (?, ?, ?)", stored.row, job, proposal);
    }
  }

  /**
   * A stored part of a blob that this job of this device names, from `offset` to the part's end; empty beyond the blob's end.
   * `undefined` where there is no such job, device or blob.
   */
  readFor(
    { n, blob }: BlobKey,
    { job, device, offset }: { job: string; device: string; offset: number },
  ): BlobSlice | undefined {
    const sql = `SELECT blob.n, blob.size FROM job
      JOIN delivery ON delivery.job = job.n AND delivery.device = ?
      JOIN blob_use ON blob_use.job = job.n
      JOIN blob ON blob.n = blob_use.blob AND blob.id = ? AND blob.gone = 0
      WHERE job.tenant = ? AND job.id = ?`;
    const row = this.#db.get(sql, device, blob, n, job);
    if (row === undefined) return undefined;
    const part = this.#partAt(wholeOf(row, "n"), offset);
    return { size: wholeOf(row, "size"), bytes: part ?? new Uint8Array(0) };
  }

  #partAt(blob: number, offset: number): Uint8Array | undefined {
    const sql = "SELECT at, bytes FROM blob_part WHERE blob = ? AND at <= ? ORDER BY at DESC LIMIT 1";
    const row = this.#db.get(sql, blob, offset);
    return row && blobOf(row, "bytes").subarray(offset - wholeOf(row, "at"));
  }

  #addPart(n: number, { row, at, bytes }: { row: number; at: number; bytes: Uint8Array }): void {
    this.#db.run("INSERT INTO blob_part (blob, at, tenant, bytes) VALUES (?, ?, ?, ?)", row, at, n, bytes);
    this.#db.run("UPDATE blob SET received = received + ? WHERE n = ?", bytes.length, row);
  }

  #count(n: number): number {
    const row = this.#db.get("SELECT count(*) AS count FROM blob WHERE tenant = ?", n);
    return row === undefined ? 0 : wholeOf(row, "count");
  }
}

function storedOf(row: Row): StoredBlob {
  return { row: wholeOf(row, "n"), size: wholeOf(row, "size"), received: wholeOf(row, "received") };
}
