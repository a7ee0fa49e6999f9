// How a device stands to its owner, as it says so itself: when it says it, what, and what becomes of it at a relay that will not hear it.
import { describe, expect, it } from "vitest";
import { noteRefusedBinding } from "../../agent/binding/bind.ts";
import { touchOwnerMark } from "../../agent/binding/owner-mark.ts";
import { pathsIn } from "../../agent/paths.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import type { JsonObject } from "../../protocol/strict-json.ts";
import { packageOf } from "../cast/package.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { until } from "../e2e/program.ts";
import { bindTo, ownerOf } from "./bound.ts";
import { startDaemon, stateFolder } from "./daemon-on.ts";
import { type Said, SmallRelay } from "./small-relay.ts";

/** The time of the machine, as the daemon has it. */
function systemClock() {
  return { now: Date.now(), turn: () => Date.now() };
}

/** A bound device with a relay that has let it in. */
async function served() {
  const acme = new Tenant({ clock: systemClock() });
  const tenants = [acme];
  const relay = await SmallRelay.open(tenants);
  const { path, state } = stateFolder();
  bindTo(state, acme, { deployment: { relays: [relay.url] } });
  return { acme, tenants, relay, path, state, start: () => startDaemon(path, state) };
}

const silence = () => new Promise((resolve) => setTimeout(resolve, 400));

/** What `bind` does with a package that it refuses. */
function refuse({ state, path }: Pick<Awaited<ReturnType<typeof served>>, "state" | "path">, by: Tenant, code: string) {
  const offered = readPackage(packageOf(by), admitKey);
  noteRefusedBinding(state, { code, detail: "", offered, now: Date.now() });
  touchOwnerMark(pathsIn(path), Date.now());
}

describe("a device", () => {
  it("says after each login how far it knows the key log", async () => {
    const { acme, relay, state, start } = await served();
    start();
    await until(() => relay.reports.length === 1, "a report");
    const { tenant, device } = ownerOf(state);
    expect(relay.reports[0]).toMatchObject({ tenant, device, keyHead: acme.head });
    relay.cut();
    await until(() => relay.reports.length === 2, "a report after the second login");
    expect(relay.logins).toHaveLength(2);
  });

  it("enrols before it reports", async () => {
    const { relay, state, start } = await served();
    relay.enrolled = false;
    start();
    await until(() => relay.reports.length === 1, "a report");
    expect(relay.kinds(ownerOf(state).device)).toEqual(["enrol", "report"]);
  });

  it("says where a burst of key events has led it, once it has them on the disk", async () => {
    const { acme, relay, state, start } = await served();
    const { device } = ownerOf(state);
    start();
    await until(() => relay.reports.length === 1, "a report");
    const stored: number[] = [];
    relay.answer = ({ header }) => {
      if (header["type"] === "report") stored.push(ownerOf(state).keyState.head.seq);
      return undefined;
    };
    for (let n = 0; n < 20; n++) {
      const { event } = acme.setPolicy({ maxJobLifetimeMs: 60_000 + n });
      relay.push(device, { type: "log-grew", log: "key", from: event.seq }, acme.log.slice(-1));
    }
    await until(() => relay.reports.at(-1)?.keyHead.seq === 20, "the last report");
    const later = relay.reports.slice(1);
    expect(later.length).toBeLessThan(4);
    expect(later.every(({ keyHead }, i) => keyHead.seq <= (stored[i] ?? -1))).toBe(true);
  });

  it("says what package it refused, at once where it runs, and again when it comes back", async () => {
    const one = await served();
    const { relay, start } = one;
    const first = start();
    await until(() => relay.reports.length === 1, "a report");
    expect(relay.reports[0]).not.toHaveProperty("refused");
    const other = new Tenant({ name: "Other", epoch: 4, founder: person("Oscar", "admin") });
    refuse(one, other, "owner-other");
    await until(() => relay.reports.length === 2, "a report of the refusal");
    const refused = { tenant: other.id, name: "Other", epoch: 4, code: "owner-other", time: expect.any(Number) };
    expect(relay.reports[1]).toMatchObject({ refused });
    await first.stop();
    start();
    await until(() => relay.reports.length === 3, "a report after a new start");
    expect(relay.reports[2]).toMatchObject({ refused });
  });

  it("tells a new owner nothing of what the one before had it refuse", async () => {
    const one = await served();
    const { relay, tenants, state, start } = one;
    refuse(one, new Tenant({ name: "Other" }), "owner-other");
    const next = new Tenant({ name: "Next", founder: person("Eve", "admin"), clock: systemClock() });
    tenants.push(next);
    bindTo(state, next, { confirmed: true, rebind: true, deployment: { relays: [relay.url] } });
    start();
    await until(() => relay.reports.some(({ tenant }) => tenant === next.id), "a report to the new owner");
    expect(relay.reports.find(({ tenant }) => tenant === next.id)).not.toHaveProperty("refused");
  });
});

function unheard({ header }: Said, answer: JsonObject | "close") {
  return header["type"] === "report" ? answer : undefined;
}

describe("a relay", () => {
  it("that does not know what a report is gets one, and keeps its device", async () => {
    const { acme, relay, state, start } = await served();
    relay.answer = (said) =>
      unheard(said, { type: "failed", code: "frame-form", message: "report: not expected here" });
    start();
    await until(() => relay.reports.length === 1, "a report");
    const { device } = ownerOf(state);
    acme.setPolicy({ prompt: "day" });
    relay.push(device, { type: "log-grew", log: "key", from: 1 }, acme.log.slice(-1));
    await until(() => ownerOf(state).keyState.head.seq === 1, "the entry");
    relay.cut();
    await until(() => relay.logins.length === 2, "a second login");
    await silence();
    expect([relay.reports.length, relay.devices]).toEqual([1, [device]]);
  });

  it("that ends the connection at each report gets three, and then keeps its device", async () => {
    const { relay, state, start } = await served();
    relay.answer = (said) => unheard(said, "close");
    start();
    await until(() => relay.logins.length === 4, "a login after three reports");
    await silence();
    expect([relay.reports.length, relay.logins.length, relay.devices]).toEqual([3, 4, [ownerOf(state).device]]);
  });

  it("that refuses a report hears the next one", async () => {
    const { acme, relay, state, start } = await served();
    relay.answer = (said) => unheard(said, { type: "failed", code: "internal", message: "" });
    start();
    await until(() => relay.reports.length === 1, "a report");
    relay.answer = () => undefined;
    acme.setPolicy({ prompt: "day" });
    relay.push(ownerOf(state).device, { type: "log-grew", log: "key", from: 1 }, acme.log.slice(-1));
    await until(() => relay.reports.length === 2, "the next report");
    expect(relay.reports[1]?.keyHead.seq).toBe(1);
  });
});
