// The agent's small parts, each by itself.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs } from "../../agent/connection/backoff.ts";
import { RefusalMeter } from "../../agent/jobs/refusal-meter.ts";
import { BACKOFF_CAP_MS, MAX_JOURNALED_REFUSALS_PER_MINUTE } from "../../agent/limits.ts";
import { KeptOutput } from "../../agent/run/kept-output.ts";
import { append, verifyJournal } from "../../agent/state/journal.ts";
import { lockState } from "../../agent/state/lock.ts";
import { bytesOf } from "../../agent/state/row.ts";
import { State } from "../../agent/state/state.ts";
import { concat } from "../../protocol/bytes.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, folder, openState } from "./bound.ts";
import { canMount, smallDisk } from "./small-disk.ts";

describe("kept output", () => {
  it("is the first and the last bytes of any stream, however it was cut into chunks", () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
    fc.assert(
      fc.property(chunks, fc.nat(100), (parts, limit) => {
        const output = new KeptOutput("stdout", limit);
        for (const part of parts) output.add(part);
        const whole = concat(...parts);
        const { size, head, tail } = output.kept();
        const isCut = whole.length > limit;
        const first = isCut ? whole.subarray(0, Math.ceil(limit / 2)) : head;
        const last = isCut ? whole.subarray(whole.length - Math.floor(limit / 2)) : tail;
        expect(size).toBe(whole.length);
        expect([head, tail]).toEqual([first, last]);
        expect(isCut || concat(head, tail).join() === whole.join()).toBe(true);
      }),
    );
  });
});

it("waits before reconnecting within a span that doubles up to a cap", () => {
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, draw) => {
      const wait = backoffMs(failures, draw);
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(Math.min(BACKOFF_CAP_MS, 500 * 2 ** failures));
    }),
  );
});

it("writes a few refusals a minute and counts the rest", () => {
  const meter = new RefusalMeter();
  const first = Array.from({ length: 100 }, () => meter.admit(60_000)).filter(({ write }) => write);
  expect(first).toHaveLength(MAX_JOURNALED_REFUSALS_PER_MINUTE);
  expect(meter.admit(120_000)).toEqual({ write: true, unwritten: 100 - MAX_JOURNALED_REFUSALS_PER_MINUTE });
});

describe("the journal", () => {
  it("shows an entry that was changed, left out or put in afterwards", () => {
    const state = openState();
    for (let i = 0; i < 5; i++) state.write("test", () => append(state, i, { type: "stopped" }));
    expect(verifyJournal(state).to.seq).toBe(5);
    for (const sql of [
      "UPDATE journal SET entry = replace(entry, 'stopped', 'started') WHERE seq = 3",
      "DELETE FROM journal WHERE seq = 4",
    ]) {
      state.run("SAVEPOINT tampering");
      state.run(sql);
      expect(() => verifyJournal(state)).toThrow(expect.objectContaining({ code: "journal-broken" }));
      state.run("ROLLBACK TO tampering");
      state.run("RELEASE tampering");
    }
  });
});

it("lets one agent at a time hold a state folder", () => {
  const path = folder();
  const first = lockState(path);
  expect(() => lockState(path)).toThrow(expect.objectContaining({ code: "state-busy" }));
  first[Symbol.dispose]();
  lockState(path)[Symbol.dispose]();
});

it.runIf(canMount())("locks a state on a full disk, and says what is wrong where it cannot", () => {
  const path = smallDisk(1);
  lockState(path)[Symbol.dispose]();
  expect(() => writeFileSync(join(path, "fill"), new Uint8Array(2_000_000))).toThrow("ENOSPC");
  lockState(path)[Symbol.dispose]();
  expect(() => lockState(join(path, "nowhere"))).toThrow(expect.objectContaining({ code: "state-unwritable" }));
});

it("changes nothing when a transaction fails in the middle", () => {
  const state = openState();
  const half = () =>
    state.write("half", () => {
      append(state, 1, { type: "stopped" });
      throw new Error("in the middle");
    });
  expect(half).toThrow("in the middle");
  expect(verifyJournal(state).to.seq).toBe(0);
});

it("says that a state folder cannot be made, and where", () => {
  expect(() => State.open("/proc/no/such/folder")).toThrow(expect.objectContaining({ code: "state-unwritable" }));
});

it("overwrites a key that is deleted, wherever it stood in a row that is longer than a page", () => {
  const relays = Array.from({ length: 6 }, (_, at) => `ws://127.0.0.1:9/${at}${"x".repeat(80)}`);
  for (const bytes of [0, 1_000, 2_000, 4_000, 8_000]) {
    const path = join(folder(), "state");
    const state = State.open(path);
    bindTo(state, new Tenant(), { deployment: { relays } });
    const seed = bytesOf(state.get("SELECT seed FROM owner") ?? {}, "seed");
    state.run("UPDATE owner SET key_state = key_state || ?", " ".repeat(bytes));
    state.run("UPDATE owner SET name = 'longer than before'");
    state.run("DELETE FROM owner");
    state.close();
    expect([bytes, readFileSync(join(path, "state.db")).includes(seed)]).toEqual([bytes, false]);
  }
});
