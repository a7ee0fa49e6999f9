// Devices in the database: who asked to be taken into the roster, what they say of themselves, when they were seen.
import { blobOf, type Database, optionalBlobOf, optionalTextOf, textOf, wholeOf } from "./database.ts";

/** A tenant's row and a device's id. */
export type DeviceKey = { readonly n: number; readonly device: string };

/** `enrolled` with its raw key; `removed` from the roster or forgotten, so that it is not let in again; or `unknown`. */
export type DeviceStanding =
  | { readonly type: "enrolled"; readonly sig: string }
  | { readonly type: "removed" }
  | { readonly type: "unknown" };

export type ListedDevice = {
  readonly device: string;
  readonly request: Uint8Array;
  readonly proof: string | undefined;
  readonly seenAt: number;
  readonly receipts: number;
  readonly report: Uint8Array | undefined;
};

type Listing = {
  readonly n: number;
  readonly after: string;
  readonly limit: number;
  readonly only?: readonly string[] | undefined;
};

export type NewDevice = DeviceKey & {
  readonly sig: string;
  readonly request: Uint8Array;
  readonly proof: string | undefined;
  readonly inRoster: boolean;
  readonly now: number;
};

export class DeviceStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  standing({ n, device }: DeviceKey): DeviceStanding {
    const row = this.#db.get("SELECT sig, removed FROM device WHERE tenant = ? AND id = ?", n, device);
    if (row === undefined) return { type: "unknown" };
    if (wholeOf(row, "removed") === 1) return { type: "removed" };
    const sig = optionalTextOf(row, "sig");
    return sig === undefined ? { type: "unknown" } : { type: "enrolled", sig };
  }

  /** Keeps a device's request; a later one takes the earlier one's place. */
  enrol({ n, device, sig, request, proof, inRoster, now }: NewDevice): void {
    const sql = `INSERT INTO device (tenant, id, sig, request, proof, seen_at, in_roster) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (tenant, id) DO UPDATE SET sig = excluded.sig, request = excluded.request, proof = excluded.proof,
        seen_at = excluded.seen_at`;
    this.#db.commit("enrol", () => this.#db.run(sql, n, device, sig, request, proof ?? null, now, inRoster ? 1 : 0));
  }

  countPending(n: number): number {
    const sql = "SELECT count(*) AS count FROM device WHERE tenant = ? AND in_roster = 0 AND removed = 0";
    const row = this.#db.get(sql, n);
    return row === undefined ? 0 : wholeOf(row, "count");
  }

  /** Part of the commit of a roster entry. */
  setAdmitted({ n, device }: DeviceKey): void {
    this.#db.run("UPDATE device SET in_roster = 1, removed = 0 WHERE tenant = ? AND id = ?", n, device);
  }

  /** Part of the commit of a roster entry. Leaves a row without a request, so that the device is known for removed. */
  setRemoved({ n, device }: DeviceKey, now: number): void {
    const sql = `INSERT INTO device (tenant, id, seen_at, removed) VALUES (?, ?, ?, 1)
      ON CONFLICT (tenant, id) DO UPDATE SET in_roster = 0, removed = 1`;
    this.#db.run(sql, n, device, now);
    this.#dropQueue({ n, device });
  }

  /** Drops what is kept of a device but for its receipts, and does not let it in again. `false`: there is no such device. */
  forget({ n, device }: DeviceKey): boolean {
    return this.#db.commit("forget", () => {
      const sql = `UPDATE device SET removed = 1, sig = NULL, request = NULL, proof = NULL, inventory = NULL,
        report = NULL
        WHERE tenant = ? AND id = ?`;
      const isThere = this.#db.run(sql, n, device) > 0;
      this.#db.run("DELETE FROM result WHERE tenant = ? AND device = ? AND receipt IS NULL", n, device);
      this.#dropQueue({ n, device });
      return isThere;
    });
  }

  setSeen({ n, device }: DeviceKey, now: number): void {
    this.#db.commitUnsynced("seen", () =>
      this.#db.run("UPDATE device SET seen_at = ? WHERE tenant = ? AND id = ?", now, n, device),
    );
  }

  saveInventory({ n, device }: DeviceKey, bytes: Uint8Array): void {
    this.#db.commit("inventory", () =>
      this.#db.run("UPDATE device SET inventory = ? WHERE tenant = ? AND id = ?", bytes, n, device),
    );
  }

  /** The newest inventory, or none; `no-device` where there is no such device. */
  inventory({ n, device }: DeviceKey): Uint8Array | undefined | "no-device" {
    const row = this.#db.get("SELECT inventory FROM device WHERE tenant = ? AND id = ? AND removed = 0", n, device);
    return row === undefined ? "no-device" : optionalBlobOf(row, "inventory");
  }

  /** `isNews`: synced; else a power cut may bring the report before it back. */
  saveReport({ n, device }: DeviceKey, { bytes, isNews }: { bytes: Uint8Array; isNews: boolean }): void {
    const save = () => this.#db.run("UPDATE device SET report = ? WHERE tenant = ? AND id = ?", bytes, n, device);
    if (isNews) this.#db.commit("report", save);
    else this.#db.commitUnsynced("report again", save);
  }

  report({ n, device }: DeviceKey): Uint8Array | undefined {
    const row = this.#db.get("SELECT report FROM device WHERE tenant = ? AND id = ?", n, device);
    return row && optionalBlobOf(row, "report");
  }

  /** Enrolled devices that were not removed, by id, after this one; where `only` names some, of those. */
  list({ n, after, limit, only }: Listing): readonly ListedDevice[] {
    const chosen = only === undefined ? "" : "AND id IN (SELECT value FROM json_each(?))";
    const sql = `SELECT id, request, proof, seen_at, receipts, report FROM device
      WHERE tenant = ? AND id > ? AND removed = 0 AND request IS NOT NULL ${chosen} ORDER BY id LIMIT ?`;
    const ids = only === undefined ? [] : [JSON.stringify(only)];
    return this.#db.all(sql, n, after, ...ids, limit).map((row) => ({
      device: textOf(row, "id"),
      request: blobOf(row, "request"),
      proof: optionalTextOf(row, "proof"),
      seenAt: wholeOf(row, "seen_at"),
      receipts: wholeOf(row, "receipts"),
      report: optionalBlobOf(row, "report"),
    }));
  }

  #dropQueue({ n, device }: DeviceKey): void {
    this.#db.run(
      "UPDATE delivery SET state = 'expired' WHERE tenant = ? AND device = ? AND state = 'queued'",
      n,
      device,
    );
  }
}
