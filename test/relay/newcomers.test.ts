// Strangers and newcomers: finding a tenant by its pin, what anybody's key may do once it has logged in, and how many may be there.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import {
  FIND_TENANT_COST,
  MAX_NEWCOMERS,
  MAX_NEWCOMERS_OF_ADDRESS,
  MAX_REQUEST_ENVELOPE_BYTES,
  MAX_STRANGER_REQUESTS,
  NEWCOMER_SESSION_MS,
  REQUEST_COST,
} from "../../relay/limits.ts";
import { device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { person, raw } from "../cast/person.ts";
import { digestOf, idOf } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";
import { operatorAt, WireClient } from "../cast/wire-client.ts";
import { WebSocket } from "ws";
import { loginOf } from "../cast/login.ts";
import { readFrame, writeFrame } from "../../protocol/frame.ts";
import { House } from "./house.ts";
import { codeFor, newcomerAt, submission } from "./moves.ts";

const grace = person("Grace");
let house: House;

beforeAll(async () => {
  house = await House.withTenant();
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("a tenant is found by its pin", () => {
  const spellings: readonly (readonly [what: string, spelled: (pin: string) => string])[] = [
    ["as it is printed", (pin) => pin],
    ["without dashes, in small letters", (pin) => pin.replaceAll("-", "").toLowerCase()],
    ["with an O for each 0", (pin) => pin.replaceAll("0", "o")],
  ];
  test.each(spellings)("%s", async (_what, spelled) => {
    const client = await WireClient.dial(house.url);
    const { header } = await client.request({ type: "find-tenant", pin: spelled(pinOf(house.tenant.id)) });
    expect(header).toMatchObject({ type: "tenant", tenant: house.tenant.id });
  });

  test("and logged in to on the same connection", async () => {
    const client = await WireClient.dial(house.url);
    await client.request({ type: "find-tenant", pin: pinOf(house.tenant.id) });
    const { header } = await client.logIn(house.tenant, grace.signer, { role: "newcomer" });
    expect(header["type"]).toBe("welcome");
  });

  test("and not by another pin, by the beginning of one, or by what is none", async () => {
    const client = await WireClient.dial(house.url);
    const pin = pinOf(house.tenant.id);
    const near = pin.slice(0, -1) + (pin.endsWith("0") ? "1" : "0");
    for (const typed of [pinOf(digestOf("other")), near, pin.slice(0, -1), "", "no pin"]) {
      expect(await codeFor(client, { type: "find-tenant", pin: typed })).toBe("tenant-unknown");
    }
  });

  test("and each question costs the address", async () => {
    await using strict = await House.withTenant(new Tenant(), { ticks: () => 0 });
    const question = { type: "find-tenant", pin: "none" };
    let codes: unknown[] = [];
    const questions = Math.ceil(2000 / FIND_TENANT_COST);
    for (let asked = 0; asked < questions && !codes.includes("rate-limited"); asked += MAX_STRANGER_REQUESTS) {
      const client = await WireClient.dial(strict.url);
      codes = await Promise.all(Array.from({ length: MAX_STRANGER_REQUESTS }, () => codeFor(client, question)));
    }
    expect(codes).toContain("rate-limited");
  });

  test("by one connection a few times only", async () => {
    const client = await WireClient.dial(house.url);
    for (let i = 0; i < MAX_STRANGER_REQUESTS; i++) await codeFor(client, { type: "find-tenant", pin: "none" });
    client.send({ type: "find-tenant", rid: 99, pin: "none" });
    expect((await client.next("failed")).header["code"]).toBe("rate-limited");
    expect(await client.closed).toBe(1008);
  });
});

describe("a newcomer", () => {
  test("sees the key log's head and no roster's, reads the key log, and hears when it grows", async () => {
    const tenant = new Tenant({ name: "Growing" });
    await using own = await House.withTenant(tenant);
    const client = await WireClient.dial(own.url);
    const welcome = await client.logIn(tenant, grace.signer, { role: "newcomer" });
    expect(welcome.header).toEqual({ type: "welcome", keyHead: tenant.head });
    const { parts } = await client.request({ type: "read-log", log: "key", from: 0 });
    expect(parts).toEqual(tenant.log.map((entry) => Buffer.from(entry)));
    tenant.add(person("Hedy"));
    await (await operatorAt(own.url, tenant)).done({ type: "append", log: "key" }, tenant.log.slice(-1));
    expect((await client.next("log-grew")).header).toEqual({ type: "log-grew", log: "key", from: 1 });
  });

  const job = jobFor({ tenant: new Tenant(), devices: [device("web-1")] });
  const notForNewcomers = [
    { type: "list-devices" },
    { type: "list-jobs" },
    { type: "list-requests" },
    { type: "list-proposals" },
    { type: "read-inventory", device: digestOf("device") },
    { type: "withdraw-job", job: idOf("job") },
    { type: "reject-request", request: digestOf("request") },
    { type: "offer-approval", request: digestOf("request") },
    { type: "drop-proposal", proposal: digestOf("proposal") },
    { type: "watch", jobs: [] },
    { type: "enrol" },
    { type: "report" },
    submission(job).header,
  ];
  test.each(notForNewcomers)("does not %j", async (header) => {
    const client = await newcomerAt(house.url, house.tenant, grace);
    expect(await codeFor(client, header)).toBe("frame-form");
  });

  test("reads no roster, and appends to none", async () => {
    const client = await newcomerAt(house.url, house.tenant, grace);
    expect(await codeFor(client, { type: "read-log", log: "roster", from: 0 })).toBe("signer-role");
    expect(await codeFor(client, { type: "append", log: "roster" }, [new Uint8Array(9)])).toBe("signer-role");
  });

  test("brings an entry of the key log that proves itself, as somebody who recovers a key does", async () => {
    const tenant = new Tenant({ name: "Recovering" });
    await using own = await House.withTenant(tenant);
    const [before, client] = [await operatorAt(own.url, tenant), await newcomerAt(own.url, tenant, grace)];
    const ada = person("Ada", "admin", 1);
    const key = tenant.keyOf(ada);
    tenant.append({ type: "operator.recover", key }, [tenant.founder.recovery, ada.signer, ada.recovery]);
    await client.done({ type: "append", log: "key" }, tenant.log.slice(-1));
    expect((await before.next("failed")).header["code"]).toBe("signer-revoked");
    expect((await operatorAt(own.url, tenant, ada)).socket.readyState).toBe(WebSocket.OPEN);
  });

  test("brings no entry that nobody signed who may", async () => {
    const client = await newcomerAt(house.url, house.tenant, grace);
    const { tenant } = house;
    const entry = tenant.sign({ type: "operator.add", key: tenant.keyOf(grace) }, [grace.signer, grace.recovery]);
    expect(await codeFor(client, { type: "append", log: "key" }, [entry])).toBe("signer-unknown");
  });

  test("takes the place of its own earlier connection", async () => {
    const first = await newcomerAt(house.url, house.tenant, grace);
    const second = await newcomerAt(house.url, house.tenant, grace);
    await first.closed;
    expect(await codeFor(second, { type: "read-log", log: "key", from: 0 })).toBe("log");
  });

  test("sends no large frame", async () => {
    const client = await newcomerAt(house.url, house.tenant, grace);
    const large = new Uint8Array(MAX_REQUEST_ENVELOPE_BYTES + 1);
    expect(await codeFor(client, { type: "file-request" }, [large])).toBe("envelope-size");
  });

  test("pays for each request, good or bad", async () => {
    await using strict = await House.withTenant(new Tenant(), { ticks: () => 0 });
    const client = await newcomerAt(strict.url, strict.tenant, grace);
    const codes: unknown[] = [];
    for (let paid = 0; paid <= 2000; paid += REQUEST_COST) {
      codes.push(await codeFor(client, { type: "file-request" }, [new Uint8Array(9)]));
    }
    expect(codes[0]).toBe("envelope-json");
    expect(codes.at(-1)).toBe("rate-limited");
  });

  test("is let go after half an hour, at the next frame or the next beat", async () => {
    await using own = await House.withTenant(new Tenant(), { silenceMs: 3000 });
    const client = await newcomerAt(own.url, own.tenant, grace);
    own.tenant.clock.turn(NEWCOMER_SESSION_MS);
    client.send({ type: "read-log", rid: 1, log: "key", from: 0 });
    expect((await client.next("failed")).header["code"]).toBe("session-over");
    const silent = await newcomerAt(own.url, own.tenant, grace);
    own.tenant.clock.turn(NEWCOMER_SESSION_MS);
    expect((await silent.next("failed")).header["code"]).toBe("session-over");
    expect(await silent.closed).toBe(1008);
  });
});

describe("newcomers of one tenant", () => {
  test("are a few from one address, so that others find room", async () => {
    await using own = await House.withTenant();
    const others = Array.from({ length: MAX_NEWCOMERS_OF_ADDRESS }, (_unused, i) => person(`newcomer ${i}`));
    for (const who of others) await newcomerAt(own.url, own.tenant, who);
    const [first = grace] = others;
    const client = await WireClient.dial(own.url);
    const { header } = await client.logIn(own.tenant, grace.signer, { role: "newcomer" });
    expect(header).toMatchObject({ type: "failed", code: "quota" });
    expect((await newcomerAt(own.url, own.tenant, first)).socket.readyState).toBe(WebSocket.OPEN);
  });

  test("are so many from everywhere, and one that leaves makes room", async () => {
    await using own = await House.withTenant(new Tenant(), { behindTlsProxy: true });
    const sockets: WebSocket[] = [];
    for (let i = 0; i < MAX_NEWCOMERS; i++) sockets.push(await from(own, `10.0.0.${i}`, `newcomer ${i}`));
    await expect(from(own, "10.0.1.1", "one too many")).rejects.toThrow("quota");
    const [first] = sockets;
    first?.close();
    await expect
      .poll(() => from(own, "10.0.1.2", "one more").then(({ readyState }) => readyState, String))
      .toBe(WebSocket.OPEN);
  });
});

/** Dials from an address, as a proxy says it, and logs in as a newcomer. */
async function from({ url, tenant }: House, address: string, name: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url}/keybound/v1`, { headers: { "x-forwarded-for": address } });
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const { signer } = person(name);
  socket.on("error", reject);
  socket.on("message", (data) => {
    if (!(data instanceof Uint8Array)) return reject(new Error("no bytes"));
    const { header } = readFrame(data);
    if (header["type"] === "welcome") return resolve(socket);
    if (header["type"] === "failed") return reject(new Error(JSON.stringify(header)));
    const over = { role: "newcomer", relay: new URL(url).host, challenge: header["challenge"], sig: raw(signer) };
    socket.send(writeFrame({ type: "login" }, [loginOf(tenant, signer, over)]));
  });
  return promise;
}
