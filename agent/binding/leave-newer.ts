// Uninstalling where the state is of a newer agent and cannot be read: nobody is told, but no key stays. Of what a newer agent may have
// changed, nothing is understood here; so all is emptied but what is known to hold no key and to be wanted later.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DATABASE_WAIT_MS } from "../limits.ts";
import { lockState } from "../state/lock.ts";
import { textOf } from "../state/row.ts";
import { isSqliteError, unlessUnwritable } from "../state/state.ts";

/** The journal, and what keeps an old package from taking the device back: retired owners, and the key log. */
const KEPT: readonly string[] = ["journal", "tombstone", "key_entry", "left_owner"];

/** Empties the state in one transaction. Throws `state-busy` or `state-unwritable`. */
export function emptyNewerState(folder: string): void {
  unlessUnwritable(folder, () => empty(folder));
}

function empty(folder: string): void {
  using held = new DisposableStack();
  held.use(lockState(folder));
  const file = join(folder, "state.db");
  const db = new DatabaseSync(file, { timeout: DATABASE_WAIT_MS, enableForeignKeyConstraints: false });
  held.defer(() => db.close());
  db.exec("PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON; BEGIN IMMEDIATE");
  keepLeft(db);
  for (const table of tablesIn(db).filter((name) => !KEPT.includes(name))) db.exec(`DELETE FROM ${quoted(table)}`);
  db.exec("COMMIT");
}

/** As agent/binding/left-owner.ts does, where the tables are still as they are here. */
function keepLeft(db: DatabaseSync): void {
  try {
    db.exec(`INSERT INTO left_owner (one, tenant, key_state, deployed_at, floor)
               SELECT 1, tenant, key_state, deployed_at, floor FROM owner`);
  } catch (error) {
    if (!isSqliteError(error)) throw error;
  }
}

function tablesIn(db: DatabaseSync): readonly string[] {
  const sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
  return db
    .prepare(sql)
    .all()
    .map((row) => textOf(row, "name"));
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
