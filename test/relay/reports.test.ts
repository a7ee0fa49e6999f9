// What devices say of their binding: kept, told to operators where it is news, and synced only then.
import { describe, expect, test } from "vitest";
import { MAX_REPORT_ENVELOPE_BYTES } from "../../relay/limits.ts";
import { reportOf } from "../cast/binding-report.ts";
import { MINUTE } from "../cast/clock.ts";
import { device } from "../cast/device.ts";
import { digestOf } from "../cast/random.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt, WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { codeFor } from "./moves.ts";

const web = device("web-1");
const db = device("db-1");
const report = { type: "report" };

async function scene() {
  const points: string[] = [];
  const house = await House.withTenant(new Tenant(), { observe: (point) => points.push(point) });
  const { tenant, url } = house;
  const [target, operator] = [await deviceAt(url, tenant, web), await operatorAt(url, tenant)];
  const roster = new RosterLog(tenant);
  roster.admit(web);
  await operator.done({ type: "append", log: "roster" }, roster.log);
  return { house, tenant, url, target, operator, points };
}

async function listed(client: WireClient) {
  const { header, parts } = await client.request({ type: "list-devices" });
  return { devices: header["devices"], parts };
}

describe("a device's report", () => {
  test("is told to operators, and listed behind the requests of those that reported", async () => {
    const { house, tenant, url, target, operator } = await scene();
    await using _ = house;
    await deviceAt(url, tenant, db);
    const bytes = reportOf(web, tenant);
    await target.done(report, [bytes]);
    const news = await operator.next("report-news");
    expect(news.header).toEqual({ type: "report-news", device: web.id });
    expect(news.parts).toEqual([Buffer.from(bytes)]);
    const { devices, parts } = await listed(operator);
    expect(devices).toHaveLength(2);
    expect(devices).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ device: web.id, reported: true }),
        expect.objectContaining({ device: db.id, reported: false }),
      ]),
    );
    expect(parts).toHaveLength(3);
    expect(parts[2]).toEqual(Buffer.from(bytes));
  });

  test("is listed with those devices alone that were asked for, by id, and none that is not there", async () => {
    const { house, tenant, url, target, operator } = await scene();
    await using _ = house;
    await deviceAt(url, tenant, db);
    const bytes = reportOf(web, tenant);
    await target.done(report, [bytes]);
    const only = (...ids: readonly string[]) => operator.request({ type: "list-devices", only: ids });
    const one = await only(digestOf("nobody"), web.id);
    expect(one.header["devices"]).toMatchObject([{ device: web.id, reported: true }]);
    expect(one.parts[1]).toEqual(Buffer.from(bytes));
    const both = await only(web.id, db.id);
    expect(both.header["devices"]).toMatchObject([web.id, db.id].toSorted().map((id) => ({ device: id })));
    expect((await only(digestOf("nobody"))).header).toMatchObject({ devices: [], more: false });
    expect((await only()).header["code"]).toBe("frame-form");
  });

  test("that says the same again is answered without a synced commit, and is no news", async () => {
    const { house, tenant, target, operator, points } = await scene();
    await using _ = house;
    const first = reportOf(web, tenant);
    await target.done(report, [first]);
    await operator.next("report-news");
    points.length = 0;
    await target.done(report, [first]);
    expect(points).toEqual([]);
    const later = reportOf(web, tenant, { time: tenant.clock.turn(MINUTE), refused: refusedIn(tenant) });
    await target.done(report, [later]);
    expect(points).toEqual(["report again: before commit", "report again: after commit"]);
    expect((await listed(operator)).parts[1]).toEqual(Buffer.from(later));
    expect(operator.waiting("report-news")).toEqual([]);
  });

  test("that says another head, refusal or owner is news", async () => {
    const { house, tenant, target, operator, points } = await scene();
    await using _ = house;
    await target.done(report, [reportOf(web, tenant, { refused: undefined })]);
    const others = [
      {},
      { keyHead: { seq: 1, id: digestOf("entry 1") } },
      { moved: { tenant: digestOf("new owner"), device: digestOf("new identity") } },
    ];
    for (const over of others) {
      points.length = 0;
      await target.done(report, [reportOf(web, tenant, over)]);
      expect(points).toContain("report: after commit");
    }
    for (let i = 0; i <= others.length; i++) await operator.next("report-news");
  });

  test.each([
    ["it moved", { moved: { tenant: digestOf("new owner"), device: digestOf("new identity") } }],
    ["its agent was uninstalled", { left: { journal: { seq: 7, hash: digestOf("journal") } } }],
  ])("that %s is told, and does not take it off the list", async (_what, end) => {
    const { house, tenant, target, operator } = await scene();
    await using _ = house;
    await target.done(report, [reportOf(web, tenant)]);
    await target.done(report, [reportOf(web, tenant, end)]);
    for (let i = 0; i < 2; i++) await operator.next("report-news");
    await target.close();
    expect((await listed(operator)).devices).toMatchObject([{ device: web.id, reported: true }]);
  });

  test("of one that nobody admitted is listed and told to nobody", async () => {
    const { house, tenant, url, operator } = await scene();
    await using _ = house;
    const pending = await deviceAt(url, tenant, db);
    await pending.done(report, [reportOf(db, tenant)]);
    expect((await listed(operator)).parts.map((part) => Buffer.from(part))).toContainEqual(
      Buffer.from(reportOf(db, tenant)),
    );
    expect(operator.waiting("report-news")).toEqual([]);
  });

  test("is dropped with the device that is forgotten", async () => {
    const { house, tenant, url, operator } = await scene();
    await using _ = house;
    const pending = await deviceAt(url, tenant, db);
    await pending.done(report, [reportOf(db, tenant)]);
    await operator.done({ type: "forget-device", device: db.id });
    expect((await listed(operator)).devices).toMatchObject([{ device: web.id }]);
    expect(house.stored((store) => store.devices.report({ n: 1, device: db.id }))).toBeUndefined();
  });
});

describe("a report is refused", () => {
  test("that the device did not sign, that is not about it or its tenant, or that is large", async () => {
    const { house, tenant, target, operator } = await scene();
    await using _ = house;
    const cases = [
      { part: reportOf(db, tenant), code: "signer-unknown" },
      { part: reportOf(web, tenant, { device: db.id }), code: "device-other" },
      { part: reportOf(web, tenant, { tenant: digestOf("other") }), code: "tenant-other" },
      { part: new Uint8Array(MAX_REPORT_ENVELOPE_BYTES + 1), code: "envelope-size" },
      { part: new Uint8Array(9), code: "envelope-json" },
    ];
    for (const { part, code } of cases) expect(await codeFor(target, report, [part])).toBe(code);
    expect((await listed(operator)).devices).toMatchObject([{ device: web.id, reported: false }]);
  });

  test("before the device has enrolled", async () => {
    const { house, tenant, url } = await scene();
    await using _ = house;
    const client = await WireClient.dial(url);
    await client.logIn(tenant, db.signer);
    expect(await codeFor(client, report, [reportOf(db, tenant)])).toBe("device-unknown");
  });
});

/** The refusal that `reportOf` reports at the clock's first time, so that a later report says the same. */
function refusedIn(tenant: Tenant) {
  const time = tenant.clock.now - MINUTE;
  return { tenant: digestOf("a stranger's tenant"), name: "Mallory Ltd", epoch: 1, code: "owner-other", time };
}
