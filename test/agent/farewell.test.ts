// What the former owner hears of a device that has left: its last answers and where it went, whether anybody was connected at
// the rebind or not; and that nothing but this is ever done in the former name.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { forgetFarewell, readFarewell } from "../../agent/binding/farewell.ts";
import { touchOwnerMark } from "../../agent/binding/owner-mark.ts";
import { pathsIn } from "../../agent/paths.ts";
import { bytesOf } from "../../agent/state/row.ts";
import { State } from "../../agent/state/state.ts";
import { DAY } from "../cast/clock.ts";
import { jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { until } from "../e2e/program.ts";
import { bindTo, deviceOf, jobsOn, ownerOf } from "./bound.ts";
import { startDaemon, stateFolder } from "./daemon-on.ts";
import { MACHINE } from "./machine.ts";
import { SmallRelay } from "./small-relay.ts";

const systemClock = () => ({ now: Date.now(), turn: () => Date.now() });
const policy = { freshness: { mode: "off", maxAgeMs: DAY } } as const;

/** A device of Acme, whose relay is there, and the organisation that takes it over, with a relay of its own. */
async function leaving() {
  const acme = new Tenant({ clock: systemClock(), policy });
  const next = new Tenant({
    clock: systemClock(),
    epoch: 2,
    supersedes: [acme.id],
    founder: person("Eve", "admin"),
  });
  const [former, present] = await Promise.all([SmallRelay.open([acme]), SmallRelay.open([next])]);
  const { path, state } = stateFolder();
  bindTo(state, acme, { deployment: { relays: [former.url] } });
  const device = deviceOf(state);
  const rebind = () => {
    bindTo(state, next, { confirmed: true, deployment: { relays: [present.url] } });
    touchOwnerMark(pathsIn(path), Date.now());
  };
  const oweAnAnswer = () => {
    const { jobs } = jobsOn(state, acme, { path });
    const job = jobFor({ tenant: acme, devices: [device], manifest: { notBefore: Date.now() + 60_000 } });
    jobs.receive({ envelope: job.envelope, ...job.sealedFor(device) }, { watched: false, asked: false });
    return job;
  };
  const moved = () => ({ tenant: next.id, device: ownerOf(state).device });
  const start = (over = {}) => startDaemon(path, state, over);
  return { acme, next, former, present, path, state, device, rebind, oweAnAnswer, moved, start };
}

const last = <T>(list: readonly T[]) => list.at(-1);

describe("a device that changes its owner", () => {
  it("says where it went over the connection that is open, and then forgets who it was", async () => {
    const { former, present, state, device, rebind, moved, start } = await leaving();
    start();
    await until(() => former.reports.length === 1, "a report");
    rebind();
    await until(() => present.reports.length === 1, "a report to the new owner");
    expect(last(former.reports)).toMatchObject({ device: device.id, moved: moved() });
    expect([former.logins.length, readFarewell(state)]).toEqual([1, undefined]);
  });

  it("says it later where no agent ran, answers first, and serves the new owner meanwhile", async () => {
    const { former, present, state, device, rebind, oweAnAnswer, moved, start } = await leaving();
    const job = oweAnAnswer();
    rebind();
    expect(readFarewell(state)).toMatchObject({ device: device.id, receipts: [{ job: job.job }] });
    start();
    await until(() => readFarewell(state) === undefined, "the farewell");
    expect(former.kinds(device.id)).toEqual(["receipt", "report"]);
    expect(last(former.reports)).toMatchObject({ moved: moved() });
    expect(present.reports).toHaveLength(1);
    await until(() => former.devices.length === 0, "the end of the visit");
    expect(state.all("SELECT * FROM farewell")).toEqual([]);
  });

  it("takes no job, no key event and no checkpoint on that visit", async () => {
    const { acme, former, state, device, rebind, start } = await leaving();
    rebind();
    const before = ownerOf(state);
    const job = jobFor({ tenant: acme, devices: [device] });
    const { wrap, body } = job.sealedFor(device);
    const { event } = acme.add(person("Bob"));
    former.greeting = [
      [{ type: "log-grew", log: "key", from: event.seq }, acme.log.slice(-1)],
      [{ type: "job", job: job.job, watched: true }, [job.envelope, wrap, body]],
    ];
    start();
    await until(() => readFarewell(state) === undefined, "the farewell");
    expect(former.kinds(device.id)).toEqual(["report"]);
    expect(ownerOf(state).keyState).toEqual(before.keyState);
    expect([state.all("SELECT job FROM ledger"), state.all("SELECT job FROM receipt")]).toEqual([[], []]);
  });

  it("keeps its last words while nobody can be reached, and says them after a later start", async () => {
    const { acme, former, present, state, device, rebind, moved, start } = await leaving();
    const port = Number(new URL(former.url).port);
    former.close();
    rebind();
    const first = start();
    await until(() => present.reports.length === 1, "a report to the new owner");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(readFarewell(state)).toMatchObject({ device: device.id });
    await first.stop();
    const back = await SmallRelay.open([acme], port);
    start();
    await until(() => readFarewell(state) === undefined, "the farewell");
    expect(last(back.reports)).toMatchObject({ moved: moved() });
  });

  it("keeps them where the former owner's relay does not take all of them", async () => {
    const { former, state, device, rebind, oweAnAnswer, start } = await leaving();
    oweAnAnswer();
    rebind();
    former.answer = ({ header }) =>
      header["type"] === "receipt" ? { type: "failed", code: "quota", message: "" } : undefined;
    start();
    await until(() => former.reports.length === 1, "the report");
    await until(() => former.devices.length === 0, "the end of the visit");
    expect(readFarewell(state)).toMatchObject({ device: device.id, receipts: [expect.anything()] });
  });

  it("forgets them where its former owner never knew it", async () => {
    const { former, state, device, rebind, start } = await leaving();
    former.enrolled = false;
    rebind();
    start();
    await until(() => readFarewell(state) === undefined, "the end of it");
    expect(former.kinds(device.id)).toEqual([]);
  });

  it("forgets them, and the key that they would be said by, after thirty days", async () => {
    const { former, state, rebind, start } = await leaving();
    rebind();
    start({ now: () => Date.now() + 31 * DAY });
    await until(() => readFarewell(state) === undefined, "the end of it");
    expect([former.logins, state.all("SELECT seed FROM former")]).toEqual([[], []]);
  });

  it("leaves no copy of the former key in the database once it is forgotten", async () => {
    const { path, rebind } = await leaving();
    rebind();
    const file = () => readFileSync(join(path, "state.db"));
    const again = State.open(path);
    const seed = bytesOf(again.get("SELECT seed FROM former") ?? {}, "seed");
    const moveAll = () => again.get("PRAGMA wal_checkpoint(TRUNCATE)");
    moveAll();
    expect(file().includes(seed)).toBe(true);
    again.write("forget", () => forgetFarewell(again));
    moveAll();
    expect(file().includes(seed)).toBe(false);
    again.close();
  });

  it("has the words of one former identity at the most", async () => {
    const { next, state, rebind } = await leaving();
    rebind();
    const second = ownerOf(state);
    const founder = person("Uma", "admin");
    const third = new Tenant({ name: "Third", epoch: 3, supersedes: [next.id], founder, clock: systemClock() });
    bindTo(state, third, { confirmed: true });
    expect(state.all("SELECT device FROM former")).toEqual([{ device: second.device }]);
  });
});

describe("the copy of a bound disk on another machine", () => {
  const machine = { ...MACHINE, machineId: "machine two" };

  it("says nothing in the name of the device that it was copied from, under the same owner", async () => {
    const { acme, state, former } = await leaving();
    bindTo(state, acme, { machine, deployment: { relays: [former.url] } });
    expect([readFarewell(state), state.all("SELECT * FROM farewell")]).toEqual([undefined, []]);
  });

  it("nor under another one", async () => {
    const { next, state, oweAnAnswer } = await leaving();
    oweAnAnswer();
    bindTo(state, next, { machine, confirmed: true });
    expect([readFarewell(state), state.all("SELECT * FROM farewell")]).toEqual([undefined, []]);
  });

  it("drops what it was to say for an owner before", async () => {
    const { next, state, rebind } = await leaving();
    rebind();
    expect(readFarewell(state)).toBeDefined();
    bindTo(state, next, { machine });
    expect(readFarewell(state)).toBeUndefined();
  });
});
