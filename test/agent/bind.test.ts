// Binding and re-binding on a real state: who becomes the owner, what ends with the one before, what stays.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTombstones } from "../../agent/binding/owner.ts";
import { readJournal, verifyJournal } from "../../agent/state/journal.ts";
import { lockState } from "../../agent/state/lock.ts";
import { State } from "../../agent/state/state.ts";
import { pinOf } from "../../protocol/pin.ts";
import { DAY } from "../cast/clock.ts";
import { jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, jobsOn, openState, ownerOf } from "./bound.ts";
import { MACHINE } from "./machine.ts";

const code = (value: string) => expect.objectContaining({ code: value });

describe("a device without an owner", () => {
  it("takes the owner of a package and makes keys of its own", () => {
    const state = openState();
    const acme = new Tenant();
    expect(bindTo(state, acme)).toEqual({ type: "bind" });
    const owner = ownerOf(state);
    expect(owner.tenant).toBe(acme.id);
    expect(owner.signer.key).toBe(owner.device);
    expect(verifyJournal(state).to.seq).toBe(1);
  });

  it("makes another identity for the same package on another device", () => {
    const acme = new Tenant();
    const [one, two] = [openState(), openState()];
    bindTo(one, acme);
    bindTo(two, acme);
    expect(ownerOf(one).device).not.toBe(ownerOf(two).device);
  });

  it("refuses a package whose pin is not the one on the install command", () => {
    const state = openState();
    expect(() => bindTo(state, new Tenant(), { trust: pinOf(new Tenant({ name: "Other" }).id) })).toThrow(
      code("package-trust"),
    );
    expect(() => ownerOf(state)).toThrow("not bound");
  });

  it("refuses a package that has expired", () => {
    const acme = new Tenant();
    const state = openState();
    expect(() =>
      bindTo(state, acme, { deployment: { issuedAt: acme.clock.now - 2 * DAY, notAfter: acme.clock.now } }),
    ).toThrow(code("package-expired"));
  });

  it("keeps its state where only its user can read it", () => {
    const path = join(folder(), "state");
    bindTo(openState(path), new Tenant());
    using held = new DisposableStack();
    held.use(lockState(path));
    expect(statSync(path).mode & 0o777).toBe(0o700);
    for (const file of ["state.db", "state.db-wal", "lock.db", "lock.db-journal"]
      .map((name) => join(path, name))
      .filter(existsSync)) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
  });
});

describe("the same owner again", () => {
  it("keeps what it has when the package knows nothing newer", () => {
    const state = openState();
    const acme = new Tenant();
    bindTo(state, acme);
    const before = ownerOf(state);
    expect(bindTo(state, acme)).toEqual({ type: "keep" });
    expect(ownerOf(state).device).toBe(before.device);
    expect(ownerOf(state).generation).toBe(before.generation);
  });

  it("takes later key events and newer relays, and stays the same device", () => {
    const state = openState();
    const acme = new Tenant();
    bindTo(state, acme);
    const { device } = ownerOf(state);
    acme.add(person("Bob"));
    acme.clock.now += DAY;
    const decision = bindTo(state, acme, { deployment: { relays: ["wss://second.example"] } });
    expect(decision).toEqual({ type: "update", relays: true });
    const after = ownerOf(state);
    expect({ device: after.device, relays: after.relays, seq: after.keyState.head.seq }).toEqual({
      device,
      relays: ["wss://second.example"],
      seq: 1,
    });
  });

  it("never goes back to a shorter log", () => {
    const state = openState();
    const acme = new Tenant();
    const bob = person("Bob", "admin");
    acme.add(bob);
    acme.revoke(acme.founder, [bob]);
    bindTo(state, acme, { signers: [bob.signer] });
    expect(() => bindTo(state, acme, { anchor: 1 })).toThrow(code("signer-revoked"));
    expect(ownerOf(state).keyState.head.seq).toBe(2);
  });
});

const successor = (before: Tenant) =>
  new Tenant({ name: "Acme", epoch: 2, supersedes: [before.id], founder: person("Eve", "admin") });

describe("another owner", () => {
  it("needs the pin even after a reset of the same organisation", () => {
    const state = openState();
    const acme = new Tenant();
    bindTo(state, acme);
    expect(() => bindTo(state, successor(acme))).toThrow(code("trust-needed"));
    expect(ownerOf(state).tenant).toBe(acme.id);
  });

  it("comes over with the pin, under a new identity, and retires the one before for good", () => {
    const state = openState();
    const acme = new Tenant();
    bindTo(state, acme);
    const before = ownerOf(state);
    const next = successor(acme);
    expect(bindTo(state, next, { trust: pinOf(next.id) })).toEqual({ type: "rebind" });
    expect(ownerOf(state).device).not.toBe(before.device);
    expect(readTombstones(state)).toContain(acme.id);
    expect(() => bindTo(state, acme, { trust: pinOf(acme.id), rebind: true, confirmed: true })).toThrow(
      code("tenant-retired"),
    );
    expect(readJournal(state, 10).map(({ entry }) => JSON.parse(entry).type)).toEqual(["bound", "unbound", "bound"]);
  });

  it("comes over when a local administrator confirms it at a terminal", () => {
    const state = openState();
    const acme = new Tenant();
    bindTo(state, acme);
    expect(bindTo(state, successor(acme), { confirmed: true })).toEqual({ type: "rebind" });
  });

  it("is refused for another organisation unless the command says so and carries the pin", () => {
    const state = openState();
    bindTo(state, new Tenant());
    const other = new Tenant({ name: "Other", founder: person("Oscar", "admin") });
    expect(() => bindTo(state, other, { trust: pinOf(other.id) })).toThrow(code("owner-other"));
    expect(() => bindTo(state, other, { rebind: true })).toThrow(code("trust-needed"));
    expect(bindTo(state, other, { rebind: true, trust: pinOf(other.id) })).toEqual({ type: "rebind" });
  });

  it("is refused where a successor claims an epoch that is not later", () => {
    const state = openState();
    const acme = new Tenant({ epoch: 3 });
    bindTo(state, acme);
    expect(() => bindTo(state, successor(acme), { rebind: true, confirmed: true })).toThrow(code("epoch-older"));
  });

  it("ends every unfinished job of the one before with a receipt, and forgets its queue", async () => {
    const state = openState();
    const acme = new Tenant();
    bindTo(state, acme);
    const { jobs } = jobsOn(state, acme);
    const device = deviceOf(state);
    const waiting = jobFor({ tenant: acme, devices: [device], manifest: { notBefore: acme.clock.now + 60_000 } });
    expect(
      jobs.receive({ envelope: waiting.envelope, ...waiting.sealedFor(device) }, { watched: false, asked: false }),
    ).toEqual({ type: "taken" });
    const next = successor(acme);
    bindTo(state, next, { trust: pinOf(next.id) });
    expect(state.all("SELECT job FROM ledger")).toEqual([]);
    expect(state.all("SELECT job FROM farewell").map((row) => row["job"])).toEqual([waiting.job]);
    expect(verifyJournal(state).to.seq).toBeGreaterThan(3);
  });

  it("leaves a daemon of the one before unable to write", async () => {
    const state = openState();
    const acme = new Tenant();
    bindTo(state, acme);
    const { jobs } = jobsOn(state, acme);
    const device = deviceOf(state);
    const next = successor(acme);
    bindTo(state, next, { trust: pinOf(next.id) });
    const job = jobFor({ tenant: acme, devices: [device] });
    expect(() =>
      jobs.receive({ envelope: job.envelope, ...job.sealedFor(device) }, { watched: false, asked: false }),
    ).toThrow("the owner has changed");
    expect(state.all("SELECT job FROM ledger")).toEqual([]);
  });
});

it("makes the copy of a bound disk a device of its own when it is bound where it is", () => {
  const state = openState();
  const acme = new Tenant();
  bindTo(state, acme);
  const before = ownerOf(state);
  expect(bindTo(state, acme, { machine: { ...MACHINE, machineId: "machine two" } })).toEqual({ type: "keep" });
  const after = ownerOf(state);
  expect(after.device).not.toBe(before.device);
  expect(after.machineTag).not.toBe(before.machineTag);
  expect(after.keyState.head).toEqual(before.keyState.head);
});

it("refuses a state folder of a newer agent, and changes nothing in it", () => {
  const path = join(folder(), "state");
  const state = State.open(path);
  state.run("PRAGMA user_version = 99");
  state.close();
  expect(() => State.open(path)).toThrow(code("state-newer"));
});
