// One tenant takes another's place: by a code that was made for it, in one commit; and what is left of the one before.
import { describe, expect, test } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import { CLAIM_LIFETIME_MS } from "../../relay/limits.ts";
import { reportOf } from "../cast/binding-report.ts";
import { DAY } from "../cast/clock.ts";
import { device, enrolmentOf } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { requestOf } from "../cast/key-request.ts";
import { clientOf, grantOf } from "../cast/login.ts";
import { person } from "../cast/person.ts";
import { digestOf } from "../cast/random.ts";
import { ReceiptChain } from "../cast/receipts.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt, WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { codeFor, newcomerAt, sendReceipt, submission } from "./moves.ts";

const web = device("web-1");
const database = device("db-1");
const grace = person("Grace");

/** The tenant that takes another's place, with keys of its own. */
function successorOf(before: Tenant, { epoch = 2, name = "Ada again" } = {}): Tenant {
  const supersedes = [...before.state.supersedes, before.id];
  return new Tenant({ founder: person(name, "admin"), clock: before.clock, epoch, supersedes });
}

/** Resets a tenant of the house; the answer's code, or `ok`. */
async function reset(
  house: House,
  { before, after, over = {} }: { before: Tenant; after: Tenant; over?: object },
): Promise<unknown> {
  const client = await WireClient.dial(house.url);
  const claim = house.relay.newClaimCode(before.id);
  const code = await codeFor(client, { type: "create-tenant", claim, retires: before.id, ...over }, after.log);
  await client.close();
  return code;
}

async function loginCode(house: House, tenant: Tenant, role: "operator" | "access" | "newcomer"): Promise<unknown> {
  const client = await WireClient.dial(house.url);
  const { founder } = tenant;
  const isAccess = role === "access";
  const signer = isAccess ? clientOf(founder).signer : founder.signer;
  const answer = await client.logIn(tenant, signer, { role }, isAccess ? grantOf(tenant, founder) : undefined);
  return answer.header["code"] ?? answer.header["type"];
}

describe("after a reset", () => {
  test("the new tenant is served, and people of the one before are told where it went", async () => {
    await using house = await House.withTenant();
    const { tenant: before, url } = house;
    const [operator, newcomer] = [await operatorAt(url, before), await newcomerAt(url, before, grace)];
    const after = successorOf(before);
    expect(await reset(house, { before, after })).toBe("ok");
    for (const client of [operator, newcomer]) {
      const { header } = await client.next("failed");
      expect(header["code"]).toBe("tenant-reset");
      expect(header["message"]).toContain(pinOf(after.id));
      expect(await client.closed).toBe(1008);
    }
    for (const role of ["operator", "access", "newcomer"] as const) {
      expect(await loginCode(house, before, role)).toBe("tenant-reset");
      expect(await loginCode(house, after, role)).toBe("welcome");
    }
  });

  test("all of it stays over a restart", async () => {
    await using house = await House.withTenant();
    const { tenant: before } = house;
    const after = successorOf(before);
    await reset(house, { before, after });
    await house.stop();
    await house.start();
    expect(await loginCode(house, before, "operator")).toBe("tenant-reset");
    expect(await loginCode(house, after, "operator")).toBe("welcome");
  });

  test("a device of the one before logs in, reads its log, answers what it ran, and says where it went", async () => {
    await using house = await House.withTenant();
    const { tenant: before, url } = house;
    const [operator, target] = [await operatorAt(url, before), await deviceAt(url, before, web)];
    const job = jobFor({ tenant: before, devices: [web] });
    const { header, parts } = submission(job);
    await operator.done(header, parts);
    await target.next("job");
    target.send({ type: "taken", job: job.job });
    const after = successorOf(before);
    await reset(house, { before, after });
    await sendReceipt(target, new ReceiptChain(web, before), { job });
    await target.close();
    const back = await deviceAt(url, before, web);
    expect(await codeFor(back, { type: "read-log", log: "key", from: 0 })).toBe("log");
    const moved = { tenant: after.id, device: digestOf("new identity") };
    await back.done({ type: "report" }, [reportOf(web, before, { moved })]);
    await back.done({ type: "enrol" }, [enrolmentOf(web, before).request]);
  });

  test("no queued job of the one before is sent, and no device is taken in there", async () => {
    await using house = await House.withTenant();
    const { tenant: before, url } = house;
    const operator = await operatorAt(url, before);
    await (await deviceAt(url, before, web)).close();
    const { header, parts } = submission(jobFor({ tenant: before, devices: [web] }));
    await operator.done(header, parts);
    await reset(house, { before, after: successorOf(before) });
    const back = await deviceAt(url, before, web);
    await back.request({ type: "read-log", log: "key", from: 0 });
    expect(back.waiting("job")).toEqual([]);
    const stranger = await WireClient.dial(url);
    await stranger.logIn(before, database.signer);
    expect(await codeFor(stranger, { type: "enrol" }, [enrolmentOf(database, before).request])).toBe("tenant-reset");
  });

  test("the new tenant's operators see which devices of the one before have not come over", async () => {
    await using house = await House.withTenant();
    const { tenant: before, url } = house;
    const target = await deviceAt(url, before, web);
    await (await deviceAt(url, before, database)).close();
    const report = reportOf(web, before, { moved: { tenant: digestOf("new"), device: digestOf("identity") } });
    await target.done({ type: "report" }, [report]);
    const after = successorOf(before);
    await reset(house, { before, after });
    const operator = await operatorAt(url, after);
    const { header, parts } = await operator.request({ type: "list-devices", of: before.id });
    expect(header["devices"]).toHaveLength(2);
    expect(header["devices"]).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ device: web.id, online: true, reported: true }),
        expect.objectContaining({ device: database.id, online: false, reported: false }),
      ]),
    );
    expect(parts.at(-1)).toEqual(Buffer.from(report));
    const own = await operator.request({ type: "list-devices" });
    expect(own.header["devices"]).toEqual([]);
  });

  test("of a reset, the last tenant sees the devices of the first, and the first's pin leads to the last", async () => {
    await using house = await House.withTenant();
    const { tenant: first, url } = house;
    await deviceAt(url, first, web);
    const second = successorOf(first);
    await reset(house, { before: first, after: second });
    const third = successorOf(second, { epoch: 3, name: "Ada a third time" });
    expect(await reset(house, { before: second, after: third })).toBe("ok");
    const operator = await operatorAt(url, third);
    const { header } = await operator.request({ type: "list-devices", of: first.id });
    expect(header["devices"]).toMatchObject([{ device: web.id }]);
    const client = await WireClient.dial(url);
    const refused = await client.logIn(first, first.founder.signer, { role: "operator" });
    expect(refused.header["message"]).toContain(pinOf(third.id));
  });

  test("requests and proposals of the one before are gone, and others' are not", async () => {
    await using house = await House.withTenant();
    const { tenant: before, url } = house;
    const neighbour = new Tenant({ name: "Neighbour", founder: person("Nina", "admin") });
    await house.move(neighbour);
    for (const tenant of [before, neighbour]) {
      await (await newcomerAt(url, tenant, grace)).done({ type: "file-request" }, [requestOf(tenant, grace).bytes]);
      const { statement, envelope } = jobFor({ tenant, devices: [web] });
      const header = { type: "propose", proposal: statement, expiresAt: tenant.clock.now + DAY };
      await (await operatorAt(url, tenant)).done(header, [envelope]);
    }
    await reset(house, { before, after: successorOf(before) });
    const operator = await operatorAt(url, neighbour);
    expect((await operator.request({ type: "list-requests" })).parts).toHaveLength(1);
    expect((await operator.request({ type: "list-proposals" })).parts).toHaveLength(1);
    // Nobody can ask for what is kept of the one before.
    const { now } = before.clock;
    const kept = house.stored(({ requests, proposals, logs }) =>
      [before, neighbour].map(({ id }) => {
        const { n = 0 } = logs.tenant(id) ?? {};
        return [requests.open(n, now).length, proposals.list(n, now).length];
      }),
    );
    expect(kept).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });
});

describe("devices of another tenant are not listed", () => {
  test("for a neighbour, for the tenant before, for itself, or for one that is nowhere", async () => {
    await using house = await House.withTenant();
    const { tenant: before, url } = house;
    await deviceAt(url, before, web);
    const neighbour = new Tenant({ name: "Neighbour", founder: person("Nina", "admin") });
    await house.move(neighbour);
    const nina = await operatorAt(url, neighbour);
    expect(await codeFor(nina, listOf(before.id))).toBe("tenant-unknown");
    const after = successorOf(before);
    await reset(house, { before, after });
    expect(await codeFor(nina, listOf(before.id))).toBe("tenant-unknown");
    expect(await codeFor(nina, listOf(neighbour.id))).toBe("tenant-unknown");
    expect(await codeFor(nina, listOf(after.id))).toBe("tenant-unknown");
    expect(await codeFor(nina, listOf(digestOf("nowhere")))).toBe("tenant-unknown");
  });

  test("for whoever only says in a genesis that it supersedes theirs", async () => {
    await using house = await House.withTenant();
    const { tenant: before, url } = house;
    const claimed = successorOf(before);
    await house.move(claimed);
    const operator = await operatorAt(url, claimed);
    expect(await codeFor(operator, { type: "list-devices", of: before.id })).toBe("tenant-unknown");
    expect(await loginCode(house, before, "operator")).toBe("welcome");
  });
});

describe("a reset is refused", () => {
  test("with an ordinary code, with a code for another tenant, or with a code that ended", async () => {
    await using house = await House.withTenant();
    const { tenant: before } = house;
    const neighbour = new Tenant({ name: "Neighbour", founder: person("Nina", "admin") });
    await house.move(neighbour);
    const after = successorOf(before);
    const ordinary = house.relay.newClaimCode();
    expect(await reset(house, { before, after, over: { claim: ordinary } })).toBe("claim-unknown");
    const others = house.relay.newClaimCode(neighbour.id);
    expect(await reset(house, { before, after, over: { claim: others } })).toBe("claim-unknown");
    const late = house.relay.newClaimCode(before.id);
    before.clock.turn(CLAIM_LIFETIME_MS);
    expect(await reset(house, { before, after, over: { claim: late } })).toBe("claim-unknown");
    expect(await loginCode(house, before, "operator")).toBe("welcome");
  });

  test("by a genesis that does not supersede the tenant, or is of no later epoch", async () => {
    await using house = await House.withTenant();
    const { tenant: before } = house;
    const { clock } = before;
    const unrelated = new Tenant({ founder: person("Una", "admin"), clock, epoch: 2 });
    expect(await reset(house, { before, after: unrelated })).toBe("tenant-other");
    expect(await reset(house, { before, after: successorOf(before, { epoch: 1 }) })).toBe("field-invalid");
    expect(await loginCode(house, before, "operator")).toBe("welcome");
    expect(await loginCode(house, unrelated, "operator")).toBe("tenant-unknown");
  });

  test("the second time, by another code", async () => {
    await using house = await House.withTenant();
    const { tenant: before } = house;
    const codes = [house.relay.newClaimCode(before.id), house.relay.newClaimCode(before.id)];
    const [first, second] = codes.map((claim) => ({ claim }));
    expect(await reset(house, { before, after: successorOf(before), over: first ?? {} })).toBe("ok");
    const other = successorOf(before, { name: "Mallory" });
    expect(await reset(house, { before, after: other, over: second ?? {} })).toBe("tenant-reset");
    expect(await loginCode(house, other, "operator")).toBe("tenant-unknown");
  });

  test("told again with the same code and genesis is known, and nothing else is made with the code", async () => {
    await using house = await House.withTenant();
    const { tenant: before } = house;
    const claim = house.relay.newClaimCode(before.id);
    const after = successorOf(before);
    expect(await reset(house, { before, after, over: { claim } })).toBe("ok");
    expect(await reset(house, { before, after, over: { claim } })).toBe("tenant-exists");
    const other = successorOf(before, { name: "Mallory" });
    expect(await reset(house, { before, after: other, over: { claim } })).toBe("claim-unknown");
    expect(await reset(house, { before, after, over: { claim, retires: digestOf("other") } })).toBe("claim-unknown");
  });
});

test("a code that was made for a reset makes no tenant of its own", async () => {
  await using house = await House.withTenant();
  const { tenant: before } = house;
  const claim = house.relay.newClaimCode(before.id);
  const client = await WireClient.dial(house.url);
  const create = { type: "create-tenant", claim };
  const unrelated = new Tenant({ name: "Other", founder: person("Una", "admin") });
  expect(await codeFor(client, create, unrelated.log)).toBe("claim-unknown");
  expect(await codeFor(client, create, successorOf(before).log)).toBe("claim-unknown");
  expect(await codeFor(client, { ...create, retires: before.id }, successorOf(before).log)).toBe("ok");
});

function listOf(of: string) {
  return { type: "list-devices", of };
}
