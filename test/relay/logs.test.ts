// The logs at a relay: compare-and-append, pages, and the news of them.
import { describe, expect, test } from "vitest";
import { checkpointOf } from "../cast/login.ts";
import { device } from "../cast/device.ts";
import { person } from "../cast/person.ts";
import { inventoryOf } from "../cast/receipts.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt } from "../cast/wire-client.ts";
import { House } from "./house.ts";

const web = device("web-1");

describe("an appended entry", () => {
  test("of the key log is told to operators and devices", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const [operator, target] = [await operatorAt(url, tenant), await deviceAt(url, tenant, web)];
    tenant.add(person("Grace"));
    await operator.done({ type: "append", log: "key" }, tenant.log.slice(-1));
    for (const client of [operator, target]) {
      const grew = await client.next("log-grew");
      expect(grew.header).toEqual({ type: "log-grew", log: "key", from: 1 });
      expect(grew.parts.map(base64)).toEqual(tenant.log.slice(-1).map(base64));
    }
  });

  test("of the roster is told to operators, and to the device that it is about", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const [operator, target] = [await operatorAt(url, tenant), await deviceAt(url, tenant, web)];
    const roster = new RosterLog(tenant);
    roster.admit(web);
    await operator.done({ type: "append", log: "roster" }, roster.log);
    expect((await operator.next("log-grew")).header).toEqual({ type: "log-grew", log: "roster", from: 0 });
    expect((await target.next("device-entries")).parts.map(base64)).toEqual(roster.log.map(base64));
    expect(target.waiting("log-grew")).toEqual([]);
    const back = await deviceAt(url, tenant, web);
    expect((await back.next("device-entries")).parts.map(base64)).toEqual(roster.log.map(base64));
  });

  test("by the slower of two clients is refused, and its client signs it again on the new head", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const [one, two] = [await operatorAt(url, tenant), await operatorAt(url, tenant)];
    const roster = new RosterLog(tenant);
    const { signer } = tenant.founder;
    const anchor = roster.sign({ type: "anchor" }, [signer]);
    const rival = roster.sign({ type: "anchor", time: tenant.clock.now + 1 }, [signer]);
    const answers = await Promise.all([
      one.request({ type: "append", log: "roster" }, [anchor]),
      two.request({ type: "append", log: "roster" }, [rival]),
    ]);
    expect(new Set(answers.map(({ header }) => header["code"] ?? header["type"]))).toEqual(new Set(["log-fork", "ok"]));
    roster.take(answers[0].header["type"] === "ok" ? anchor : rival);
    roster.append({ type: "anchor" }, [signer]);
    await two.done({ type: "append", log: "roster" }, roster.log.slice(-1));
  });

  test("that is there already is confirmed again", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const operator = await operatorAt(url, tenant);
    tenant.add(person("Grace"));
    await operator.done({ type: "append", log: "key" }, tenant.log.slice(-1));
    await operator.done({ type: "append", log: "key" }, tenant.log.slice(-1));
    expect((await operator.request({ type: "read-log", log: "key", from: 0 })).parts).toHaveLength(2);
  });

  test("that the log does not allow is refused with its code", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const operator = await operatorAt(url, tenant);
    const eve = person("Eve");
    const entry = tenant.sign({ type: "operator.add", key: tenant.keyOf(eve) }, [eve.signer, eve.recovery]);
    expect((await operator.request({ type: "append", log: "key" }, [entry])).header["code"]).toBe("signer-unknown");
    expect((await operator.request({ type: "append", log: "roster" }, [entry])).header["code"]).toBe("envelope-type");
    expect((await operator.request({ type: "append", log: "key" }, [])).header["code"]).toBe("frame-form");
  });
});

describe("a roster", () => {
  test("is read in pages, and is whole again after a restart across a stored state", { timeout: 60_000 }, async () => {
    await using house = await House.withTenant();
    const { tenant } = house;
    const operator = await operatorAt(house.url, tenant);
    const roster = new RosterLog(tenant);
    for (let i = 0; i < 520; i++) roster.append({ type: "anchor" }, [tenant.founder.signer]);
    roster.admit(web);
    for (const entry of roster.log) await operator.done({ type: "append", log: "roster" }, [entry]);
    await house.stop();
    await house.start();
    const again = await operatorAt(house.url, tenant);
    const read: string[] = [];
    for (let more = true; more; ) {
      const page = await again.request({ type: "read-log", log: "roster", from: read.length });
      read.push(...page.parts.map(base64));
      more = page.header["more"] === true;
    }
    expect(read).toEqual(roster.log.map(base64));
    roster.append({ type: "device.name", device: web.id, name: "web-2" }, [tenant.founder.signer]);
    await again.done({ type: "append", log: "roster" }, roster.log.slice(-1));
  });
});

describe("a checkpoint", () => {
  test("goes to everybody, and only the newest of each operator to those who come later", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const [operator, target] = [await operatorAt(url, tenant), await deviceAt(url, tenant, web)];
    const [old, young] = [
      checkpointOf(tenant, tenant.founder),
      checkpointOf(tenant, tenant.founder, { time: tenant.clock.now + 1 }),
    ];
    for (const checkpoint of [young, old]) await operator.done({ type: "send-checkpoint" }, [checkpoint]);
    for (const client of [operator, target])
      expect((await client.next("checkpoint")).parts.map(base64)).toEqual([base64(young)]);
    const late = await deviceAt(url, tenant, device("db-1"));
    expect((await late.next("checkpoint")).parts.map(base64)).toEqual([base64(young)]);
    await operator.request({ type: "list-jobs" });
    expect(target.waiting("checkpoint")).toEqual([]);
  });

  test("by nobody of the log is refused", async () => {
    await using house = await House.withTenant();
    const operator = await operatorAt(house.url, house.tenant);
    const answer = await operator.request({ type: "send-checkpoint" }, [checkpointOf(house.tenant, person("Eve"))]);
    expect(answer.header["code"]).toBe("signer-unknown");
  });
});

describe("an inventory", () => {
  test("is kept, the newest of each device, and only as its own key signed it", async () => {
    await using house = await House.withTenant(new Tenant());
    const { tenant, url } = house;
    const [operator, target] = [await operatorAt(url, tenant), await deviceAt(url, tenant, web)];
    expect((await operator.request({ type: "read-inventory", device: web.id })).parts).toEqual([]);
    const [one, two] = ["one", "two"].map((host) => inventoryOf(web, tenant, { host }));
    for (const inventory of [one, two]) await target.done({ type: "inventory" }, [inventory ?? new Uint8Array(0)]);
    const read = await operator.request({ type: "read-inventory", device: web.id });
    expect(read.parts.map(base64)).toEqual([base64(two ?? new Uint8Array(0))]);
    const forged = await target.request({ type: "inventory" }, [inventoryOf(device("db-1"), tenant)]);
    expect(forged.header["code"]).toBe("signer-unknown");
  });
});

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
