// Who is let in: operators, their clients, devices; and who is not, and how they learn why.
import { describe, expect, test } from "vitest";
import { DAY } from "../cast/clock.ts";
import { device, enrolmentOf } from "../cast/device.ts";
import { clientOf, grantOf } from "../cast/login.ts";
import { person } from "../cast/person.ts";
import { digestOf } from "../cast/random.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { genesisOf, Tenant } from "../cast/tenant.ts";
import { accessAt, deviceAt, operatorAt, WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";

const web = device("web-1");
const grace = person("Grace");
const eve = person("Eve");

describe("an operator", () => {
  test("logs in by the signature key and sees the heads", async () => {
    await using house = await House.withTenant();
    const client = await WireClient.dial(house.url);
    const { tenant } = house;
    const welcome = await client.logIn(tenant, tenant.founder.signer, { role: "operator" });
    expect(welcome.header).toEqual({ type: "welcome", keyHead: tenant.head });
  });

  test("logs in by a client's access key and a grant", async () => {
    await using house = await House.withTenant();
    const client = await accessAt(house.url, house.tenant, house.tenant.founder);
    expect((await client.request({ type: "list-jobs" })).header["type"]).toBe("jobs");
  });

  test("is ended when the log ends the key, and is not let in again", async () => {
    const tenant = new Tenant();
    tenant.add(grace);
    await using house = await House.withTenant(tenant);
    const founder = await operatorAt(house.url, tenant);
    const [own, access] = [await operatorAt(house.url, tenant, grace), await accessAt(house.url, tenant, grace)];
    tenant.revoke(grace);
    await founder.done({ type: "append", log: "key" }, tenant.log.slice(-1));
    for (const client of [own, access]) {
      expect((await client.next("failed")).header).toMatchObject({ code: "signer-revoked" });
      expect(await client.closed).toBe(1008);
    }
    const again = await WireClient.dial(house.url);
    expect((await again.logIn(tenant, grace.signer, { role: "operator" })).header["code"]).toBe("signer-revoked");
  });

  test("with a client is let go when the grant ends", async () => {
    await using house = await House.withTenant(new Tenant(), { silenceMs: 3000 });
    const { tenant } = house;
    const over = { notAfter: tenant.clock.now + DAY };
    const client = await accessAt(house.url, tenant, tenant.founder, over);
    tenant.clock.turn(DAY);
    expect((await client.next("failed")).header).toMatchObject({ code: "access-expired" });
  });
});

describe("a login is refused", () => {
  test.each([
    ["for another challenge", { challenge: digestOf("old") }, "login-challenge"],
    ["made for another relay", { relay: "relay.example:7600" }, "login-relay"],
    ["of an operator whom the log does not know", { role: "operator" }, "login-unknown"],
    ["for a tenant that is not here", { tenant: digestOf("elsewhere") }, "tenant-unknown"],
    ["by a role that is none", { role: "owner" }, "field-invalid"],
  ])("%s", async (_what, over, code) => {
    await using house = await House.withTenant();
    const client = await WireClient.dial(house.url);
    const answer = await client.logIn(house.tenant, eve.signer, over);
    expect(answer.header).toMatchObject({ type: "failed", code });
    expect(answer.header["rid"]).toBeUndefined();
    expect(await client.closed).toBe(1008);
  });

  test("by a grant that has ended, that is for another key, or that is missing", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const { founder, clock } = tenant;
    const cases = [
      {
        grant: grantOf(tenant, founder, { notAfter: clock.now }),
        signer: clientOf(founder).signer,
        code: "access-expired",
      },
      { grant: grantOf(tenant, founder), signer: eve.signer, code: "login-unknown" },
      { grant: grantOf(tenant, eve), signer: clientOf(eve).signer, code: "signer-unknown" },
      { grant: undefined, signer: clientOf(founder).signer, code: "frame-form" },
    ];
    for (const { grant, signer, code } of cases) {
      const client = await WireClient.dial(url);
      expect((await client.logIn(tenant, signer, { role: "access" }, grant)).header["code"]).toBe(code);
    }
  });

  test("when none comes in time", async () => {
    await using house = await House.withTenant(new Tenant(), { loginTimeoutMs: 100 });
    const client = await WireClient.dial(house.url);
    expect((await client.next("failed")).header).toMatchObject({ code: "login-timeout" });
    expect(await client.closed).toBe(1008);
  });
});

describe("a device", () => {
  test("that is new must enrol before anything but reading the key log", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const client = await WireClient.dial(url);
    expect((await client.logIn(tenant, web.signer)).header).toMatchObject({ type: "welcome", enrolled: false });
    expect((await client.request({ type: "read-log", log: "key", from: 0 })).parts).toHaveLength(1);
    expect((await client.request({ type: "inventory" }, [new Uint8Array(1)])).header["code"]).toBe("device-unknown");
    await client.done({ type: "enrol", proof: digestOf("proof") }, [enrolmentOf(web, tenant).request]);
    const operator = await operatorAt(url, tenant);
    const listed = await operator.request({ type: "list-devices" });
    expect(listed.header["devices"]).toMatchObject([
      { device: web.id, online: true, proof: digestOf("proof"), receipts: 0 },
    ]);
    expect(listed.parts).toHaveLength(1);
  });

  test("enrols only itself, and only for its tenant", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const client = await WireClient.dial(url);
    await client.logIn(tenant, web.signer);
    const others = [
      { request: enrolmentOf(device("db-1"), tenant).request, code: "device-other" },
      { request: enrolmentOf(web, tenant, { over: { tenant: digestOf("other") } }).request, code: "tenant-other" },
      { request: enrolmentOf(web, tenant, { signer: eve.signer }).request, code: "signer-unknown" },
    ];
    for (const { request, code } of others) {
      expect((await client.request({ type: "enrol" }, [request])).header["code"]).toBe(code);
    }
  });

  test("does not read the roster", async () => {
    await using house = await House.withTenant();
    const client = await deviceAt(house.url, house.tenant, web);
    expect((await client.request({ type: "read-log", log: "roster", from: 0 })).header["code"]).toBe("signer-role");
  });

  test("takes the place of its own earlier connection", async () => {
    await using house = await House.withTenant();
    const first = await deviceAt(house.url, house.tenant, web);
    const second = await deviceAt(house.url, house.tenant, web);
    await first.closed;
    expect((await second.request({ type: "read-log", log: "key", from: 0 })).header["type"]).toBe("log");
  });

  test("that is removed from the roster is told so, ended, not listed, and not let in again", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const [operator, target] = [await operatorAt(url, tenant), await deviceAt(url, tenant, web)];
    const roster = new RosterLog(tenant);
    roster.admit(web);
    roster.append({ type: "device.remove", device: web.id }, [tenant.founder.signer]);
    for (const entry of roster.log) await operator.done({ type: "append", log: "roster" }, [entry]);
    for (const entry of roster.log) expect((await target.next("device-entries")).parts).toEqual([Buffer.from(entry)]);
    expect((await target.next("failed")).header["code"]).toBe("login-unknown");
    const again = await WireClient.dial(url);
    expect((await again.logIn(tenant, web.signer)).header["code"]).toBe("login-unknown");
    expect((await operator.request({ type: "list-devices" })).header["devices"]).toEqual([]);
  });

  test("is forgotten only when the roster does not have it", async () => {
    await using house = await House.withTenant();
    const { tenant, url } = house;
    const [operator, target] = [await operatorAt(url, tenant), await deviceAt(url, tenant, web)];
    const roster = new RosterLog(tenant);
    roster.admit(web);
    await operator.done({ type: "append", log: "roster" }, roster.log);
    const forget = { type: "forget-device", device: web.id };
    expect((await operator.request(forget)).header["code"]).toBe("roster-device-exists");
    roster.append({ type: "device.remove", device: web.id }, [tenant.founder.signer]);
    await operator.done({ type: "append", log: "roster" }, roster.log.slice(-1));
    await target.closed;
    await operator.done(forget);
    expect((await operator.request({ type: "read-inventory", device: web.id })).header["code"]).toBe("device-unknown");
  });
});

describe("a tenant", () => {
  test("is made once by a claim code, and the code does nothing more", async () => {
    await using house = await House.empty();
    const code = house.relay.claimCode ?? "";
    const create = { type: "create-tenant", claim: code };
    const client = await WireClient.dial(house.url);
    await client.done(create, [genesisOf()]);
    expect((await client.request(create, [genesisOf()])).header["code"]).toBe("tenant-exists");
    expect((await client.request(create, [genesisOf({ name: "Other" })])).header["code"]).toBe("claim-unknown");
    const again = { ...create, claim: house.relay.newClaimCode() };
    expect((await client.request(again, [genesisOf()])).header["code"]).toBe("tenant-exists");
    const { tenant } = house;
    expect((await client.logIn(tenant, tenant.founder.signer, { role: "operator" })).header["type"]).toBe("welcome");
  });

  test("is not made by a code that is unknown, mistyped or expired, and not of a broken genesis", async () => {
    await using house = await House.empty();
    const client = await WireClient.dial(house.url);
    const make = async (claim: string, genesis = genesisOf()) =>
      (await client.request({ type: "create-tenant", claim }, [genesis])).header["code"];
    expect(await make("00000-00000-00000-00000")).toBe("claim-unknown");
    expect(await make("no code")).toBe("claim-unknown");
    const code = house.relay.claimCode ?? "";
    expect(await make(code, genesisOf({ genesis: { epoch: 0 } }))).toBe("field-invalid");
    house.tenant.clock.turn(7 * DAY);
    expect(await make(code)).toBe("claim-unknown");
  });

  test("sees nothing of another one", async () => {
    await using house = await House.withTenant();
    const other = new Tenant({ name: "Other", founder: person("Olga", "admin") });
    await house.move(other);
    await deviceAt(house.url, house.tenant, web);
    const stranger = await WireClient.dial(house.url);
    const login = await stranger.logIn(house.tenant, other.founder.signer, { role: "operator" });
    expect(login.header["code"]).toBe("login-unknown");
    const neighbour = await operatorAt(house.url, other);
    expect((await neighbour.request({ type: "list-devices" })).header["devices"]).toEqual([]);
    const log = await neighbour.request({ type: "read-log", log: "key", from: 0 });
    expect(log.parts).toEqual(other.log.map((entry) => Buffer.from(entry)));
  });
});
