// Uninstalling where it is not easy: while a newer version is on trial, or after one that is gone, or on a full disk. The binding and
// the keys go all the same.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { readLeftOwner } from "../../agent/binding/left-owner.ts";
import { isBound, readTombstones } from "../../agent/binding/owner.ts";
import { readMachine } from "../../agent/machine.ts";
import { readJournal, verifyJournal } from "../../agent/state/journal.ts";
import { bytesOf } from "../../agent/state/row.ts";
import { SCHEMA_VERSION } from "../../agent/state/schema.ts";
import { copyState } from "../../agent/state/state-copy.ts";
import { State } from "../../agent/state/state.ts";
import { Tenant } from "../cast/tenant.ts";
import { Program } from "../e2e/program.ts";
import { systemClock } from "./agent-process.ts";
import { bindTo, folder } from "./bound.ts";
import { canMount, smallDisk } from "./small-disk.ts";
import { SmallRelay } from "./small-relay.ts";

/** A bound state that nobody has open, and its device's keys. */
async function bound(path = join(folder(), "state")) {
  const acme = new Tenant({ clock: systemClock() });
  const relay = await SmallRelay.open([acme]);
  const state = State.open(path);
  bindTo(state, acme, { deployment: { relays: [relay.url] }, machine: readMachine(0) });
  const row = state.get("SELECT seed, sealing FROM owner") ?? {};
  state.close();
  return { acme, relay, path, keys: [bytesOf(row, "seed"), bytesOf(row, "sealing")] };
}

/** As a newer version has it: more tables, one of them with a key of its own, and `owner` as `sql` leaves it. */
function moveOn(path: string, { key, sql = "" }: { readonly key: Uint8Array; readonly sql?: string }): void {
  const db = new DatabaseSync(join(path, "state.db"));
  db.exec(`CREATE TABLE "newer ""keys""" (key BLOB) STRICT; ${sql}; PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  db.prepare('INSERT INTO "newer ""keys""" VALUES (?)').run(key);
  db.close();
}

async function leaves(path: string) {
  const program = new Program("agent", ["leave", "--state", path], {});
  return { code: await program.ended(), said: program.stdout + program.stderr };
}

const holds = (path: string, key: Uint8Array) =>
  readdirSync(path).some((name) => readFileSync(join(path, name)).includes(key));

it("leaves with a goodbye, by the state from before a version that is on trial", async () => {
  const { acme, relay, path, keys } = await bound();
  copyState(path, "0.2.0");
  moveOn(path, { key: Buffer.from("the newer version's own key") });
  const { code, said } = await leaves(path);
  expect([code, said]).toEqual([0, expect.stringContaining("the owner's relay was told")]);
  expect(relay.reports).toMatchObject([{ left: { journal: { seq: 2 } } }]);
  expect(readdirSync(path).toSorted()).toEqual(["lock.db", "state.db"]);
  expect(keys.some((key) => holds(path, key))).toBe(false);
  const state = State.open(path);
  expect([isBound(state), readLeftOwner(state, acme.id)?.keyState.tenant]).toEqual([false, acme.id]);
  state.close();
});

it.each([
  ["as they are here", ""],
  ["otherwise", "ALTER TABLE owner RENAME TO owners"],
])("takes the keys out of a state that it cannot read, whose tables are %s", async (_what, sql) => {
  const { acme, relay, path, keys } = await bound();
  const newer = Buffer.from("the newer version's own key");
  moveOn(path, { key: newer, sql });
  writeFileSync(join(path, "network.json"), '{"version":1,"proxy":"http://u:secret@proxy:3128"}');
  const { code, said } = await leaves(path);
  expect([code, said]).toEqual([0, expect.stringContaining("nobody was told: the state is a newer agent's")]);
  expect(relay.logins).toEqual([]);
  expect(readdirSync(path).toSorted()).toEqual(["lock.db", "state.db"]);
  expect([...keys, newer].some((key) => holds(path, key))).toBe(false);
  const db = new DatabaseSync(join(path, "state.db"));
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  db.close();
  const state = State.view(path);
  if (state === undefined) throw new Error("no state");
  expect(readJournal(state, 2).map(({ entry }) => JSON.parse(entry))).toMatchObject([{ type: "bound" }]);
  expect(() => verifyJournal(state)).not.toThrow();
  expect(readLeftOwner(state, acme.id)?.keyState.tenant).toBe(sql === "" ? acme.id : undefined);
  expect(readTombstones(state).size).toBe(0);
  state.close();
});

function fill(folderOnIt: string): void {
  mkdirSync(folderOnIt, { recursive: true });
  expect(() => writeFileSync(join(folderOnIt, "fill"), new Uint8Array(4_000_000))).toThrow("ENOSPC");
}

it.runIf(canMount())(
  "leaves on a disk that is full of what jobs brought, and says what is wrong where it is full of other things",
  async () => {
    const disk = smallDisk(2);
    const { path, relay } = await bound(join(disk, "state"));
    fill(join(disk, "others"));
    expect(await leaves(path)).toMatchObject({
      code: 1,
      said: expect.stringMatching(/disk-full: [^]*hint: free some space/),
    });
    rmSync(join(disk, "others"), { recursive: true });
    fill(join(path, "fetched"));
    expect(await leaves(path)).toMatchObject({ code: 0, said: expect.stringContaining("was told") });
    expect([relay.reports.length, readdirSync(path).toSorted()]).toEqual([1, ["lock.db", "state.db"]]);
  },
);
