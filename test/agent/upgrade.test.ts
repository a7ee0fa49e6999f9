// A state that an older agent wrote: opened by this one, nothing of it is lost.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { verifyJournal } from "../../agent/state/journal.ts";
import { waitingJobs } from "../../agent/jobs/ledger.ts";
import { keyLogView } from "../../agent/binding/owner.ts";
import { SCHEMA_STEPS, SCHEMA_VERSION } from "../../agent/state/schema.ts";
import type { Row } from "../../agent/state/row.ts";
import type { State } from "../../agent/state/state.ts";
import { statusOf } from "../../agent/binding/public-status.ts";
import { folder, openState, ownerOf, receiptsOf } from "./bound.ts";

const VERSION_1 = readFileSync(join(import.meta.dirname, "made/state-1.sql"), "utf8");

function written(sql: string): string {
  const path = join(folder(), "state");
  mkdirSync(path, { mode: 0o700 });
  const db = new DatabaseSync(join(path, "state.db"));
  db.exec(`PRAGMA journal_mode = WAL; ${sql}`);
  db.close();
  return path;
}

const TABLES = ["owner", "tombstone", "key_entry", "vouch", "ledger", "refused", "receipt", "farewell", "journal"];

function rowsOf(all: (sql: string) => readonly Row[]): Readonly<Record<string, readonly Row[]>> {
  return Object.fromEntries(TABLES.map((table) => [table, all(`SELECT * FROM ${table} ORDER BY 1`)]));
}

const schemaOf = (state: State) => state.all("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name");

it("keeps every row of a state of the first version, with room for more in it", () => {
  const path = written(VERSION_1);
  const db = new DatabaseSync(join(path, "state.db"), { readOnly: true });
  const before = rowsOf((sql) => db.prepare(sql).all());
  db.close();
  expect(Object.values(before).every((rows) => rows.length > 0)).toBe(true);
  const state = openState(path);
  expect(rowsOf((sql) => state.all(sql))).toMatchObject(before);
  expect(state.get("PRAGMA user_version")).toEqual({ user_version: SCHEMA_VERSION });
});

it("serves the owner, the jobs and the receipts of a state of the first version", () => {
  const state = openState(written(VERSION_1));
  const owner = ownerOf(state);
  expect(keyLogView(state, owner.keyState).idAt(owner.keyState.head.seq)).toBe(owner.keyState.head.id);
  expect([receiptsOf(state).length, waitingJobs(state).length]).toEqual([1, 1]);
  expect(() => verifyJournal(state)).not.toThrow();
  expect(statusOf(state, 5)).toMatchObject({ bound: true, device: owner.device });
});

it("makes of an older state the same tables as of none", () => {
  expect(schemaOf(openState(written(VERSION_1)))).toEqual(schemaOf(openState()));
});

it("brings a state up to date once, whoever opens it first", () => {
  const path = written(VERSION_1);
  const states = [openState(path), openState(path)];
  expect(states.map((state) => state.get("PRAGMA user_version"))).toEqual([
    { user_version: SCHEMA_VERSION },
    { user_version: SCHEMA_VERSION },
  ]);
});

it("opens nothing of a state whose upgrade fails in the middle", () => {
  const path = written(`${VERSION_1} CREATE TABLE former (something TEXT);`);
  expect(() => openState(path)).toThrow(expect.objectContaining({ code: "state-unwritable" }));
  const db = new DatabaseSync(join(path, "state.db"));
  expect(db.prepare("PRAGMA user_version").get()).toEqual({ user_version: 1 });
  expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'refused_package'").all()).toEqual([]);
  db.close();
});

it("has the first version's tables as they were shipped", () => {
  const shipped = VERSION_1.split("\n").filter((line) => line !== "" && !/^(INSERT|PRAGMA|--)/.test(line));
  const lines = (SCHEMA_STEPS[0] ?? "").split("\n").filter((line) => line !== "");
  expect(lines).toEqual(shipped);
});
