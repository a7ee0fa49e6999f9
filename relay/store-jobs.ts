// Jobs and their deliveries in the database. What a job's envelope, body and wraps hold is nobody's business here.
import type { DeliveryState } from "../protocol/wire-fields.ts";
import { blobOf, type Database, optionalTextOf, type Row, textOf, wholeOf } from "./database.ts";
import type { DeviceKey } from "./store-devices.ts";
import type { BlobStore } from "./store-blobs.ts";
import type { ProposalStore } from "./store-proposals.ts";

export type NewJob = {
  readonly n: number;
  readonly job: string;
  /** Statement id of the envelope, where it is one. */
  readonly statement: string | undefined;
  readonly batch: string;
  /** Over all that was submitted, to tell a repetition from a reuse of the id. */
  readonly digest: Uint8Array;
  readonly now: number;
  readonly expiresAt: number;
  readonly envelope: Uint8Array;
  readonly body: Uint8Array;
  readonly targets: readonly { readonly device: string; readonly wrap: Uint8Array }[];
  readonly readerWraps: Uint8Array;
  /** Files that it brings. */
  readonly blobs: readonly string[];
};
/** A tenant's row and a job's id. */
export type JobKey = { readonly n: number; readonly job: string };
/** What waits for a device: `place` orders it among the others. */
export type Queued = {
  readonly place: number;
  readonly job: string;
  readonly envelope: Uint8Array;
  readonly wrap: Uint8Array;
  readonly body: Uint8Array;
};
export type StoredState = Exclude<DeliveryState, "sent">;
export type Delivery = { readonly device: string; readonly state: StoredState; readonly note: string | undefined };
export type StoredJob = {
  readonly submittedAt: number;
  readonly envelope: Uint8Array;
  readonly body: Uint8Array;
  readonly readerWraps: Uint8Array;
  readonly deliveries: readonly Delivery[];
};
export type ListedJob = {
  readonly job: string;
  readonly batch: string;
  readonly submittedAt: number;
  readonly targets: number;
  readonly answered: number;
  readonly envelope: Uint8Array;
};
/** A delivery whose state has changed. */
export type Change = { readonly n: number; readonly job: string; readonly device: string };

export class JobStore {
  readonly #db: Database;
  readonly #proposals: ProposalStore;
  readonly #blobs: BlobStore;

  constructor(db: Database, { proposals, blobs }: { proposals: ProposalStore; blobs: BlobStore }) {
    this.#db = db;
    this.#proposals = proposals;
    this.#blobs = blobs;
  }

  digest({ n, job }: JobKey): Uint8Array | undefined {
    const row = this.#db.get("SELECT digest FROM job WHERE tenant = ? AND id = ?", n, job);
    return row && blobOf(row, "digest");
  }

  has({ n, job }: JobKey): boolean {
    return this.#db.get("SELECT 1 FROM job WHERE tenant = ? AND id = ?", n, job) !== undefined;
  }

  countQueued({ n, device }: DeviceKey): number {
    const sql = "SELECT count(*) AS count FROM delivery WHERE tenant = ? AND device = ? AND state = 'queued'";
    const row = this.#db.get(sql, n, device);
    return row === undefined ? 0 : wholeOf(row, "count");
  }

  /** Stores a job; synced. A proposal of the same statement is done with it, and this answers whether there was one. */
  add(job: NewJob): boolean {
    return this.#db.commit("submit", () => {
      const row = this.#insert(job);
      job.targets.forEach(({ device, wrap }, place) => {
        this.#db.run(
          "INSERT INTO delivery (job, place, tenant, device, wrap, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
          row,
          place,
          job.n,
          device,
          wrap,
          job.expiresAt,
        );
      });
      this.#blobs.use(job.n, job.blobs, { use: { job: row }, now: job.now });
      return job.statement !== undefined && this.#proposals.drop({ n: job.n, id: job.statement });
    });
  }

  /** What waits for a device behind this place, in order of submission. */
  queued({ n, device }: DeviceKey, { after, limit, now }: { after: number; limit: number; now: number }) {
    const sql = `SELECT job.n, job.id, job.envelope, job.body, delivery.wrap FROM delivery
      JOIN job ON job.n = delivery.job
      WHERE delivery.tenant = ? AND delivery.device = ? AND delivery.state = 'queued'
        AND delivery.job > ? AND delivery.expires_at > ? ORDER BY delivery.job LIMIT ?`;
    return this.#db.all(sql, n, device, after, now, limit).map(queuedOf);
  }

  /** The device has it: never sent again. Not synced: a power cut makes it be sent once more, and the device knows it. */
  take({ n, job, device, note }: Change & { readonly note: string | undefined }): boolean {
    const sql = `UPDATE delivery SET state = 'taken', note = ?
      WHERE job = (SELECT n FROM job WHERE tenant = ? AND id = ?) AND device = ? AND state IN ('queued', 'expired')`;
    return this.#db.commitUnsynced("taken", () => this.#db.run(sql, note ?? null, n, job, device) > 0);
  }

  /** Part of the commit of a receipt. Answers whether the job has a delivery to this device. */
  answer({ n, job, device }: Change): boolean {
    const row = this.#db.get("SELECT n FROM job WHERE tenant = ? AND id = ?", n, job);
    if (row === undefined) return false;
    const jobRow = wholeOf(row, "n");
    const sql = "UPDATE delivery SET state = 'answered' WHERE job = ? AND device = ? AND state <> 'answered'";
    const changed = this.#db.run(sql, jobRow, device);
    if (changed > 0) this.#db.run("UPDATE job SET answered = answered + 1 WHERE n = ?", jobRow);
    return changed > 0 || this.delivery({ n, job, device }) !== undefined;
  }

  delivery({ n, job, device }: Change): StoredState | undefined {
    const sql = `SELECT state FROM delivery
      WHERE job = (SELECT n FROM job WHERE tenant = ? AND id = ?) AND device = ?`;
    const row = this.#db.get(sql, n, job, device);
    return row && stateOf(row);
  }

  deliveries({ n, job }: JobKey): readonly Delivery[] {
    const sql = `SELECT device, state, note FROM delivery
      WHERE job = (SELECT n FROM job WHERE tenant = ? AND id = ?) ORDER BY place`;
    return this.#db.all(sql, n, job).map((row) => ({
      device: textOf(row, "device"),
      state: stateOf(row),
      note: optionalTextOf(row, "note"),
    }));
  }

  /** Ends deliveries whose time has passed, some at a time, and says which. */
  expire(now: number, limit: number): readonly Change[] {
    const sql = `SELECT delivery.job AS row, delivery.place, delivery.tenant, delivery.device, job.id FROM delivery
      JOIN job ON job.n = delivery.job WHERE delivery.state = 'queued' AND delivery.expires_at <= ? LIMIT ?`;
    const rows = this.#db.all(sql, now, limit);
    if (rows.length === 0) return [];
    this.#db.commitUnsynced("expire", () => {
      for (const row of rows) {
        const update = "UPDATE delivery SET state = 'expired' WHERE job = ? AND place = ?";
        this.#db.run(update, wholeOf(row, "row"), wholeOf(row, "place"));
      }
    });
    return rows.map((row) => ({ n: wholeOf(row, "tenant"), job: textOf(row, "id"), device: textOf(row, "device") }));
  }

  /** Ends the deliveries to these devices that still wait; synced. */
  withdraw({ n, job, devices, note }: JobKey & { readonly devices: readonly string[]; readonly note: string }): void {
    const sql = `UPDATE delivery SET state = 'expired', note = ?
      WHERE job = (SELECT n FROM job WHERE tenant = ? AND id = ?) AND device = ? AND state = 'queued'`;
    this.#db.commit("withdraw job", () => {
      for (const device of devices) this.#db.run(sql, note, n, job, device);
    });
  }

  /** Part of the commit of a reset: nothing of this tenant waits any more. */
  expireAll(n: number): void {
    this.#db.run("UPDATE delivery SET state = 'expired' WHERE tenant = ? AND state = 'queued'", n);
  }

  read({ n, job }: JobKey): StoredJob | undefined {
    const sql = "SELECT submitted_at, envelope, body, reader_wraps FROM job WHERE tenant = ? AND id = ?";
    const row = this.#db.get(sql, n, job);
    if (row === undefined) return undefined;
    return {
      submittedAt: wholeOf(row, "submitted_at"),
      envelope: blobOf(row, "envelope"),
      body: blobOf(row, "body"),
      readerWraps: blobOf(row, "reader_wraps"),
      deliveries: this.deliveries({ n, job }),
    };
  }

  /** Jobs submitted before a time, newest first. */
  list({ n, before, limit }: { n: number; before: number; limit: number }): readonly ListedJob[] {
    const sql = `SELECT id, batch, submitted_at, targets, answered, envelope FROM job
      WHERE tenant = ? AND submitted_at < ? ORDER BY submitted_at DESC LIMIT ?`;
    return this.#db.all(sql, n, before, limit).map((row) => ({
      job: textOf(row, "id"),
      batch: textOf(row, "batch"),
      submittedAt: wholeOf(row, "submitted_at"),
      targets: wholeOf(row, "targets"),
      answered: wholeOf(row, "answered"),
      envelope: blobOf(row, "envelope"),
    }));
  }

  #insert({ n, job, batch, digest, now, envelope, body, targets, readerWraps }: NewJob): number {
    const sql = `INSERT INTO job (tenant, id, batch, digest, submitted_at, targets, envelope, body, reader_wraps)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING n`;
    const submittedAt = this.#nextTime(n, now);
    const values = [n, job, batch, digest, submittedAt, targets.length, envelope, body, readerWraps] as const;
    const row = this.#db.get(sql, ...values);
    if (row === undefined) throw new Error("internal error: a job that was not stored");
    return wholeOf(row, "n");
  }

  /** A tenant's jobs have distinct, rising times, so that a list can go on after any of them. */
  #nextTime(n: number, now: number): number {
    const row = this.#db.get("SELECT coalesce(max(submitted_at), 0) AS last FROM job WHERE tenant = ?", n);
    return Math.max(now, (row === undefined ? 0 : wholeOf(row, "last")) + 1);
  }
}

function queuedOf(row: Row): Queued {
  return {
    place: wholeOf(row, "n"),
    job: textOf(row, "id"),
    envelope: blobOf(row, "envelope"),
    wrap: blobOf(row, "wrap"),
    body: blobOf(row, "body"),
  };
}

function stateOf(row: Row): StoredState {
  const state = textOf(row, "state");
  if (state === "queued" || state === "taken" || state === "answered" || state === "expired") return state;
  throw new Error("internal error: a delivery in an unknown state");
}
