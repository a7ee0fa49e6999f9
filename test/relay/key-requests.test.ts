// Requests for keys on a relay: filed, kept for a while, listed, rejected, withdrawn, and gone when the key stands in the log.
import { describe, expect, test } from "vitest";
import { MAX_OPEN_REQUESTS } from "../../protocol/limits.ts";
import { MAX_OPERATOR_REQUESTS, NEWCOMER_SESSION_MS, REQUEST_LIFETIME_MS } from "../../relay/limits.ts";
import { DAY } from "../cast/clock.ts";
import { requestOf } from "../cast/key-request.ts";
import { person } from "../cast/person.ts";
import { digestOf } from "../cast/random.ts";
import { edited } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { accessAt, operatorAt, type WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { codeFor, newcomerAt } from "./moves.ts";

const grace = person("Grace");
const hedy = person("Hedy");
const file = { type: "file-request" };

async function scene(tenant = new Tenant()) {
  const house = await House.withTenant(tenant);
  const admin = await operatorAt(house.url, tenant);
  const newcomer = await newcomerAt(house.url, tenant, grace);
  return { house, tenant, url: house.url, admin, newcomer };
}

async function listed(client: WireClient): Promise<{ ids: readonly unknown[]; online: readonly unknown[] }> {
  const { header, parts } = await client.request({ type: "list-requests" });
  const requests: readonly unknown[] = Array.isArray(header["requests"]) ? header["requests"] : [];
  expect(parts).toHaveLength(requests.length);
  const field = (name: string) => requests.map((request) => new Map(Object.entries(request ?? {})).get(name));
  return { ids: field("request"), online: field("online") };
}

describe("a request", () => {
  test("is listed as it was filed, with when, and with whether its newcomer is there", async () => {
    const { house, tenant, admin, newcomer } = await scene();
    await using _ = house;
    const { bytes, id } = requestOf(tenant, grace);
    await newcomer.done(file, [bytes]);
    await admin.next("waiting-news");
    const { header, parts } = await admin.request({ type: "list-requests" });
    expect(header["requests"]).toEqual([{ request: id, filedAt: tenant.clock.now, online: true }]);
    expect(parts).toEqual([Buffer.from(bytes)]);
    await newcomer.close();
    await expect.poll(async () => (await listed(admin)).online).toEqual([false]);
  });

  test("stays over a restart, and filed again stays as it is", async () => {
    const { house, tenant, newcomer } = await scene();
    await using _ = house;
    const { bytes, id } = requestOf(tenant, grace);
    await newcomer.done(file, [bytes]);
    const filedAt = tenant.clock.now;
    await house.stop();
    tenant.clock.turn(DAY);
    await house.start();
    const again = await newcomerAt(house.url, tenant, grace);
    await again.done(file, [bytes]);
    const { header } = await (await operatorAt(house.url, tenant)).request({ type: "list-requests" });
    expect(header["requests"]).toEqual([{ request: id, filedAt, online: true }]);
  });

  test("is shown to every operator's client, and to auditors' too", async () => {
    const tenant = new Tenant();
    const olga = person("Olga", "auditor");
    tenant.add(olga);
    const { house, url, newcomer } = await scene(tenant);
    await using _ = house;
    const { bytes, id } = requestOf(tenant, grace);
    await newcomer.done(file, [bytes]);
    expect((await listed(await operatorAt(url, tenant, olga))).ids).toEqual([id]);
    expect((await listed(await accessAt(url, tenant, tenant.founder))).ids).toEqual([id]);
  });

  test("of another key takes the place of nobody's, but the key's own", async () => {
    const { house, tenant, url, admin, newcomer } = await scene();
    await using _ = house;
    await newcomer.done(file, [requestOf(tenant, grace).bytes]);
    const other = requestOf(tenant, grace, { over: { name: "Grace Hopper" } });
    await newcomer.done(file, [other.bytes]);
    const theirs = requestOf(tenant, hedy);
    await (await newcomerAt(url, tenant, hedy)).done(file, [theirs.bytes]);
    expect((await listed(admin)).ids).toEqual([other.id, theirs.id]);
  });

  test("is withdrawn by its newcomer alone", async () => {
    const { house, tenant, url, admin, newcomer } = await scene();
    await using _ = house;
    await newcomer.done(file, [requestOf(tenant, grace).bytes]);
    const other = await newcomerAt(url, tenant, hedy);
    expect(await codeFor(other, { type: "withdraw-request" })).toBe("request-unknown");
    await newcomer.done({ type: "withdraw-request" });
    expect((await listed(admin)).ids).toEqual([]);
    expect(await codeFor(newcomer, { type: "withdraw-request" })).toBe("request-unknown");
  });

  test("that was rejected is closed for its newcomer, and is not filed again", async () => {
    const { house, tenant, admin, newcomer } = await scene();
    await using _ = house;
    const { bytes, id } = requestOf(tenant, grace);
    await newcomer.done(file, [bytes]);
    await admin.done({ type: "reject-request", request: id });
    expect((await newcomer.next("request-closed")).header).toEqual({
      type: "request-closed",
      request: id,
      why: "rejected",
    });
    expect(await codeFor(newcomer, file, [bytes])).toBe("request-rejected");
    expect((await listed(admin)).ids).toEqual([]);
    await admin.done({ type: "reject-request", request: id });
    expect(await codeFor(newcomer, file, [requestOf(tenant, grace, { over: { name: "G" } }).bytes])).toBe("ok");
  });

  test("is not rejected by who is no admin, nor where there is none", async () => {
    const tenant = new Tenant();
    const ida = person("Ida");
    tenant.add(ida);
    const { house, url, admin, newcomer } = await scene(tenant);
    await using _ = house;
    const { bytes, id } = requestOf(tenant, grace);
    await newcomer.done(file, [bytes]);
    const reject = { type: "reject-request", request: id };
    expect(await codeFor(await operatorAt(url, tenant, ida), reject)).toBe("signer-role");
    expect(await codeFor(await accessAt(url, tenant, ida), reject)).toBe("signer-role");
    expect(await codeFor(admin, { ...reject, request: digestOf("none") })).toBe("request-unknown");
    expect((await listed(admin)).ids).toEqual([id]);
  });

  test("is gone in the moment in which its key stands in the log", async () => {
    const { house, tenant, admin, newcomer } = await scene();
    await using _ = house;
    const { bytes } = requestOf(tenant, grace);
    await newcomer.done(file, [bytes]);
    await admin.next("waiting-news");
    tenant.add(grace);
    await admin.done({ type: "append", log: "key" }, tenant.log.slice(-1));
    await newcomer.next("log-grew");
    await admin.next("waiting-news");
    expect((await listed(admin)).ids).toEqual([]);
    expect(await codeFor(newcomer, file, [bytes])).toBe("log-key-reused");
  });

  test("ends after two weeks, seen or not, and can be filed anew", async () => {
    const { house, tenant, newcomer } = await scene();
    await using _ = house;
    const { bytes, id } = requestOf(tenant, grace);
    await newcomer.done(file, [bytes]);
    tenant.clock.turn(REQUEST_LIFETIME_MS);
    const admin = await operatorAt(house.url, tenant);
    expect((await listed(admin)).ids).toEqual([]);
    expect(await codeFor(admin, { type: "reject-request", request: id })).toBe("request-unknown");
    const again = await newcomerAt(house.url, tenant, grace);
    await again.done(file, [bytes]);
    expect((await listed(admin)).ids).toEqual([id]);
  });

  test("that has ended is deleted", async () => {
    const { house, tenant, newcomer } = await scene();
    await using _ = house;
    await newcomer.done(file, [requestOf(tenant, grace).bytes]);
    await house.stop();
    tenant.clock.turn(REQUEST_LIFETIME_MS);
    await house.start({ pruneIntervalMs: 50 });
    await expect.poll(() => house.lines.map(({ fields }) => fields)).toContainEqual({ rows: 1, of: "key requests" });
  });
});

describe("a request is refused", () => {
  const tenant = new Tenant();
  const { bytes } = requestOf(tenant, grace);
  const cases: readonly (readonly [what: string, bytes: Uint8Array, code: string])[] = [
    ["for another key than the one that logged in", requestOf(tenant, hedy).bytes, "signer-unknown"],
    ["of another tenant", requestOf(new Tenant({ name: "Other" }), grace).bytes, "tenant-other"],
    [
      "without the recovery key's word",
      edited(bytes, ({ signatures, ...rest }) => ({ ...rest, signatures: signatures.slice(0, 1) })),
      "log-proof-missing",
    ],
    ["that is no envelope", new Uint8Array(9), "envelope-json"],
    ["that is another statement", tenant.log[0] ?? new Uint8Array(0), "envelope-type"],
  ];
  test.each(cases)("%s", async (_what, part, code) => {
    const { house, admin, newcomer } = await scene(tenant);
    await using _ = house;
    expect(await codeFor(newcomer, file, [part])).toBe(code);
    expect((await listed(admin)).ids).toEqual([]);
  });

  test("by a tenant whose log is closed", async () => {
    const closing = new Tenant();
    const { house, admin, newcomer } = await scene(closing);
    await using _ = house;
    const request = requestOf(closing, grace);
    closing.append({ type: "tenant.close", reason: "done" }, [closing.founder.signer]);
    await admin.done({ type: "append", log: "key" }, closing.log.slice(-1));
    expect(await codeFor(newcomer, file, [request.bytes])).toBe("tenant-closed");
  });
});

describe("a flood of requests", () => {
  // A clock for the addresses' allowances that runs so fast that none is used up.
  const rich = { ticks: () => performance.now() * 10_000, silenceMs: 3_600_000 };

  test("leaves as many open as people look through, and the list fits one frame", { timeout: 60_000 }, async () => {
    await using house = await House.withTenant(new Tenant(), rich);
    const { tenant, url } = house;
    const admin = await operatorAt(url, tenant);
    for (let i = 0; i < MAX_OPEN_REQUESTS; i++) await fileAs(house, `newcomer ${i}`);
    expect(await fileAs(house, "one too many")).toBe("quota");
    const { ids } = await listed(admin);
    expect(ids).toHaveLength(MAX_OPEN_REQUESTS);
    await admin.done({ type: "reject-request", request: String(ids[0]) });
    expect(await fileAs(house, "one more")).toBe("ok");
  });

  test("for one operator keeps the newest, and who was pushed out hears of it and comes in again", async () => {
    await using house = await House.withTenant(new Tenant(), rich);
    const { tenant, url } = house;
    const admin = await operatorAt(url, tenant);
    const newcomer = await newcomerAt(url, tenant, grace);
    const own = requestOf(tenant, grace);
    await newcomer.done(file, [own.bytes]);
    const rivals = Array.from({ length: MAX_OPERATOR_REQUESTS }, (_unused, i) => person(`rival ${i}`));
    const { operator } = grace;
    const theirs = rivals.map((who) => ({ who, ...requestOf(tenant, who, { over: { operator } }) }));
    for (const { who, bytes } of theirs) await (await newcomerAt(url, tenant, who)).done(file, [bytes]);
    expect((await newcomer.next("request-closed")).header).toMatchObject({ request: own.id, why: "expired" });
    expect((await listed(admin)).ids).toEqual(theirs.map(({ id }) => id));
    await newcomer.done(file, [own.bytes]);
    expect((await listed(admin)).ids).toEqual([...theirs.slice(1).map(({ id }) => id), own.id]);
  });
});

test("a newcomer's session that ends leaves the request where it is", async () => {
  const { house, tenant, newcomer } = await scene();
  await using _ = house;
  const { bytes, id } = requestOf(tenant, grace);
  await newcomer.done(file, [bytes]);
  tenant.clock.turn(NEWCOMER_SESSION_MS);
  newcomer.send({ type: "read-log", rid: 9, log: "key", from: 0 });
  await newcomer.closed;
  expect((await listed(await operatorAt(house.url, tenant))).ids).toEqual([id]);
});

/** Files a request as a new person who leaves at once; how it was answered. */
async function fileAs({ url, tenant }: House, name: string): Promise<unknown> {
  const client = await newcomerAt(url, tenant, person(name));
  const code = await codeFor(client, file, [requestOf(tenant, person(name)).bytes]);
  await client.close();
  return code;
}
