// A version on trial and the state: it proves itself without a word, and what it moved on goes back where it fails.
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import pino from "pino";
import { describe, expect, it } from "vitest";
import {
  closeWayBack,
  journalFailure,
  leaveNoWayBack,
  openToProve,
  openToServe,
} from "../../agent/state/held-state.ts";
import { readJournal } from "../../agent/state/journal.ts";
import { DIRECTLY } from "../../agent/connection/network.ts";
import { proveItself } from "../../agent/update/prove.ts";
import { SCHEMA_VERSION } from "../../agent/state/schema.ts";
import { State } from "../../agent/state/state.ts";
import { copyState, hasCopy } from "../../agent/state/state-copy.ts";
import { prove } from "../../agent/update/versions.ts";
import { jobFor } from "../cast/job.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, openState, ownerOf } from "./bound.ts";
import { InstalledVersions } from "./installed-versions.ts";
import { PACKAGED } from "./version-cases.ts";
import { MACHINE } from "./machine.ts";
import { canMount, smallDisk } from "./small-disk.ts";
import { SmallRelay } from "./small-relay.ts";

const TRIED = "0.2.0";
const NEVER = new AbortController().signal;

function proving(withinMs = 10_000) {
  const log = pino({ level: "silent" });
  return { machine: MACHINE, withinMs, network: () => DIRECTLY, now: () => Date.now(), draw: () => 0, log };
}

describe("a version on trial", () => {
  it("proves itself by a login, takes no job, says nothing, and writes nothing", async () => {
    const acme = new Tenant();
    const state = openState();
    const relay = await SmallRelay.open([acme]);
    bindTo(state, acme, { deployment: { relays: [relay.url] } });
    const device = deviceOf(state);
    const job = jobFor({ tenant: acme, devices: [device] });
    const { wrap, body } = job.sealedFor(device);
    relay.greeting = [[{ type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]]];
    const before = readJournal(state, 100);
    await proveItself(state, proving(), NEVER);
    expect([relay.logins, relay.said]).toEqual([[device.id], []]);
    expect(readJournal(state, 100)).toEqual(before);
    expect(state.all("SELECT * FROM ledger")).toEqual([]);
  });

  it("has failed where no relay lets it in within its time", async () => {
    const state = openState();
    bindTo(state, new Tenant(), { deployment: { relays: ["ws://127.0.0.1:9"] } });
    await expect(proveItself(state, proving(200), NEVER)).rejects.toMatchObject({ code: "trial-unproved" });
  });

  it("has failed where it finds no owner, or the machine is another", async () => {
    const state = openState();
    await expect(proveItself(state, proving(), NEVER)).rejects.toMatchObject({ code: "not-bound" });
    bindTo(state, new Tenant());
    const elsewhere = { ...proving(), machine: { ...MACHINE, machineId: "machine two" } };
    await expect(proveItself(state, elsewhere, NEVER)).rejects.toMatchObject({ code: "clone" });
  });

  it("copies the state before it changes the tables, for root alone, and once", () => {
    const path = bound();
    becomes(path, `DROP INDEX receipt_job; DROP TABLE barred; DROP TABLE cancelling; PRAGMA user_version = 0`);
    // A state that no step fits: what fails then fails after the copy.
    const versions = new InstalledVersions().seenBy(TRIED);
    expect(() => openToProve(path, versions)).toThrow(expect.objectContaining({ code: "state-unwritable" }));
    expect(readdirSync(path).filter((name) => name.includes("before"))).toEqual([`state.db.before-${TRIED}`]);
    expect(statSync(join(path, `state.db.before-${TRIED}`)).mode & 0o777).toBe(0o600);
    expect(hasCopy(path, TRIED)).toBe(true);
  });

  it.runIf(canMount())(
    "leaves a disk that is too small for the copy as it was, and the version before can serve",
    () => {
      const path = join(smallDisk(1), "state");
      const state = State.open(path);
      bindTo(state, new Tenant());
      state.run("INSERT INTO refused VALUES (hex(zeroblob(150000)), 0)");
      state.close();
      expect(() => copyState(path, TRIED)).toThrow(/full/);
      expect(readdirSync(path).filter((name) => name.includes("before"))).toEqual([]);
      // As a version that is killed while it copies leaves it.
      const half = () => writeFileSync(join(path, "state.db.before-new"), new Uint8Array(1_048_576));
      expect(half).toThrow("ENOSPC");
      using held = openToServe(path);
      expect(ownerOf(held.state).generation).toBe(1);
    },
  );

  it("copies nothing where the tables are its own", () => {
    const path = bound();
    const versions = new InstalledVersions().seenBy(TRIED);
    openToProve(path, versions)[Symbol.dispose]();
    expect(hasCopy(path, TRIED)).toBe(false);
  });
});

/** The folder of a bound state that nobody has open. */
function bound(): string {
  const path = join(folder(), "state");
  const state = State.open(path);
  bindTo(state, new Tenant());
  state.close();
  return path;
}

function becomes(path: string, sql: string): void {
  const db = new DatabaseSync(join(path, "state.db"));
  db.exec(sql);
  db.close();
}

/** As a newer version leaves it that ended without closing: a step more of the tables, and its pages in the log beside. */
function movedOn(): string {
  const path = bound();
  copyState(path, TRIED);
  const db = new DatabaseSync(join(path, "state.db"));
  db.exec(`CREATE TABLE newer (x); DELETE FROM owner; PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  const wal = join(path, "state.db-wal");
  const kept = join(path, "kept");
  renameSync(wal, kept);
  db.close();
  renameSync(kept, wal);
  return path;
}

describe("the version before one that failed", () => {
  it("has its state back, with its owner, and no copy beside it", () => {
    const path = movedOn();
    const { state, wasReturned, ...held } = openToServe(path);
    expect([wasReturned, ownerOf(state).name, state.get("PRAGMA user_version")]).toEqual([
      true,
      undefined,
      { user_version: SCHEMA_VERSION },
    ]);
    expect(state.all("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    held[Symbol.dispose]();
    expect(readdirSync(path).filter((name) => /before|returning/.test(name))).toEqual([]);
  });

  it.each([
    ["the copy was named for its return", () => undefined],
    ["what lay beside the state was removed", (path: string) => rmSync(join(path, "state.db-wal"))],
    ["the state was damaged as well", (path: string) => writeFileSync(join(path, "state.db"), "not a database")],
  ])("has it back where it was cut off when %s", (_what, cut) => {
    const path = movedOn();
    renameSync(join(path, `state.db.before-${TRIED}`), join(path, "state.db.returning"));
    cut(path);
    using held = openToServe(path);
    expect(ownerOf(held.state).generation).toBe(1);
  });

  it("keeps the state as it is where its tables were not moved on", () => {
    const path = bound();
    copyState(path, TRIED);
    becomes(path, "UPDATE owner SET name = 'later'");
    using held = openToServe(path);
    leaveNoWayBack(path, new InstalledVersions().seenBy(PACKAGED));
    expect([held.wasReturned, ownerOf(held.state).name, hasCopy(path, TRIED)]).toEqual([false, "later", false]);
  });

  it("has it back where the one on trial has not been given up, and so can serve while that waits for a try", () => {
    const path = movedOn();
    using held = openToServe(path);
    expect([held.wasReturned, ownerOf(held.state).generation, hasCopy(path, TRIED)]).toEqual([true, 1, false]);
  });

  it.each([
    ["no database", (file: string) => writeFileSync(file, "not a database")],
    ["empty", (file: string) => writeFileSync(file, "")],
    ["gone", (file: string) => rmSync(file)],
  ])("has it back where the other one left it %s", (_what, spoil) => {
    const path = movedOn();
    rmSync(join(path, "state.db-wal"));
    spoil(join(path, "state.db"));
    using held = openToServe(path);
    expect([held.wasReturned, ownerOf(held.state).generation]).toEqual([true, 1]);
  });

  it("goes on with what it can read where the copy is spoilt", () => {
    const path = bound();
    writeFileSync(join(path, `state.db.before-${TRIED}`), "not a database");
    using held = openToServe(path);
    expect([held.wasReturned, ownerOf(held.state).generation]).toEqual([false, 1]);
  });

  it("writes the failure into the journal once, and again for another job", () => {
    const state = openState();
    const on = new InstalledVersions();
    on.write("failed", `${TRIED} 3\n`);
    for (const job of ["one", "one", "two"]) {
      on.write("asked", `${TRIED} ${job}\n`);
      journalFailure(state, on.seenBy(PACKAGED), 5);
    }
    expect(readJournal(state, 9).map(({ entry }) => JSON.parse(entry))).toEqual([
      { type: "version-failed", version: TRIED, job: "one", time: 5 },
      { type: "version-failed", version: TRIED, job: "two", time: 5 },
    ]);
  });

  it("never has back what a version that proved itself has left behind, and is no way back from it", () => {
    const path = bound();
    copyState(path, TRIED);
    const on = proved();
    openToServe(path)[Symbol.dispose]();
    leaveNoWayBack(path, on.seenBy(TRIED));
    expect([hasCopy(path, TRIED), on.read("back"), on.read("current")]).toEqual([false, undefined, `${TRIED}\n`]);
  });

  it("has it back where the one that proved itself never came to serve", () => {
    const path = movedOn();
    const on = proved();
    const ran = [1, 2, 3, 4, 5, 6].map(() => on.start(["sh"], "run").ran);
    expect(ran).toEqual([TRIED, TRIED, TRIED, TRIED, TRIED, PACKAGED]);
    using held = openToServe(path);
    expect([held.wasReturned, ownerOf(held.state).generation]).toEqual([true, 1]);
  });

  it("is no way back any more once the one that proved itself has bound the device anew", () => {
    const path = bound();
    const on = proved();
    closeWayBack(path, on.seenBy(TRIED));
    expect(on.read("back")).toBe(`${PACKAGED}\n`);
    copyState(path, TRIED);
    closeWayBack(path, on.seenBy(PACKAGED));
    expect(on.read("back")).toBe(`${PACKAGED}\n`);
    closeWayBack(path, on.seenBy(TRIED));
    expect(on.read("back")).toBeUndefined();
  });
});

/** The version that was tried has proved itself, and nothing more. */
function proved(): InstalledVersions {
  const on = new InstalledVersions();
  on.place(TRIED);
  on.write("trial", `${TRIED} 1\n`);
  prove(on.seenBy(TRIED));
  return on;
}
