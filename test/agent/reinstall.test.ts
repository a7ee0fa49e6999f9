// A device whose agent was uninstalled, bound again: a new identity on the old journal, and never behind what it knew of its owner.
import pino from "pino";
import { describe, expect, it } from "vitest";
import { leave } from "../../agent/binding/leave.ts";
import { readVouches } from "../../agent/binding/owner.ts";
import { DIRECTLY } from "../../agent/connection/network.ts";
import { pathsIn } from "../../agent/paths.ts";
import { readJournal, verifyJournal } from "../../agent/state/journal.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, ownerOf } from "./bound.ts";
import { stateFolder } from "./daemon-on.ts";
import { AGENT, MACHINE } from "./machine.ts";

const code = (value: string) => expect.objectContaining({ code: value });
/** Nobody listens there, and the system says so at once. */
const deployment = { relays: ["ws://127.0.0.1:1"] };

/** A state with no owner yet, and how to leave whoever owns it. */
function device() {
  const { path, state } = stateFolder();
  const silent = { network: () => DIRECTLY, log: pino({ level: "silent" }) };
  const options = { state, paths: pathsIn(path), machine: MACHINE, agent: AGENT, ...silent };
  return { state, leaves: (tenant: Tenant) => leave({ ...options, now: () => tenant.clock.now }) };
}

describe("a device whose agent was uninstalled", () => {
  it("is bound by the same package again, with an identity of its own, and goes on with its journal", async () => {
    const { state, leaves } = device();
    const acme = new Tenant();
    bindTo(state, acme, { deployment });
    const before = deviceOf(state);
    await leaves(acme);
    expect(bindTo(state, acme, { deployment })).toEqual({ type: "bind" });
    expect(deviceOf(state).id).not.toBe(before.id);
    const types = readJournal(state, 10).map(({ entry }): unknown => JSON.parse(entry).type);
    expect(types).toEqual(["bound", "left", "bound"]);
    expect(() => verifyJournal(state)).not.toThrow();
    expect(state.all("SELECT * FROM left_owner")).toEqual([]);
  });

  it("goes on with all of the key log that it knew, under a package that knows less", async () => {
    const { state, leaves } = device();
    const acme = new Tenant();
    acme.add(person("Bob"));
    bindTo(state, acme, { deployment });
    await leaves(acme);
    bindTo(state, acme, { deployment, anchor: 0 });
    expect(ownerOf(state).keyState).toEqual(acme.state);
    expect(state.all("SELECT seq FROM key_entry")).toHaveLength(acme.log.length);
  });

  it("takes what a longer package brings, and no entry twice", async () => {
    const { state, leaves } = device();
    const acme = new Tenant();
    bindTo(state, acme, { deployment });
    await leaves(acme);
    acme.add(person("Bob"));
    bindTo(state, acme, { deployment });
    expect(ownerOf(state).keyState).toEqual(acme.state);
    expect(state.all("SELECT seq FROM key_entry")).toHaveLength(acme.log.length);
  });

  it("refuses an old package whose signer was revoked while it knew", async () => {
    const { state, leaves } = device();
    const acme = new Tenant();
    const bob = person("Bob", "admin");
    acme.add(bob);
    const anchor = acme.head.seq;
    acme.revoke(bob);
    bindTo(state, acme, { deployment });
    await leaves(acme);
    expect(() => bindTo(state, acme, { deployment, anchor, signers: [bob.signer] })).toThrow(code("signer-revoked"));
    expect(readVouches(state).size).toBe(0);
  });

  it("refuses a package of an organisation that was retired here before", async () => {
    const { state, leaves } = device();
    const acme = new Tenant();
    const next = new Tenant({ epoch: 2, supersedes: [acme.id], founder: person("Eve", "admin") });
    bindTo(state, acme, { deployment });
    bindTo(state, next, { deployment, confirmed: true });
    await leaves(next);
    expect(() => bindTo(state, acme, { deployment })).toThrow(code("tenant-retired"));
    expect(bindTo(state, next, { deployment })).toEqual({ type: "bind" });
  });

  it("may be bound by another organisation, which begins with its own log", async () => {
    const { state, leaves } = device();
    const acme = new Tenant();
    acme.add(person("Bob"));
    const other = new Tenant({ name: "Other", founder: person("Eve", "admin") });
    bindTo(state, acme, { deployment });
    await leaves(acme);
    bindTo(state, other, { deployment });
    expect(ownerOf(state).tenant).toBe(other.id);
    expect(state.all("SELECT id FROM key_entry")).toEqual([{ id: other.head.id }]);
    expect(state.all("SELECT * FROM left_owner")).toEqual([]);
  });
});
