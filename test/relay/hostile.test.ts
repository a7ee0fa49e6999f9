// Peers that mean harm or have gone: each loses its own connection at the most, and nobody else notices.
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { concat, utf8 } from "../../protocol/bytes.ts";
import { writeFrame } from "../../protocol/frame.ts";
import { MAX_DEVICE_FRAME_BYTES, MAX_FRAME_BYTES } from "../../protocol/limits.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { MAX_STRANGER_BYTES } from "../../relay/limits.ts";
import { device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt, WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { newcomerAt, submission } from "./moves.ts";

const web = device("web-1");
let house: House;

beforeAll(async () => {
  house = await House.withTenant();
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

/** Whether the relay still serves: somebody logs in and is answered. */
async function stillServes(at: House = house): Promise<void> {
  const client = await operatorAt(at.url, at.tenant);
  expect((await client.request({ type: "list-jobs" })).header["type"]).toBe("jobs");
  await client.close();
  expect(at.lines.filter(({ message }) => message === "failed at a frame")).toEqual([]);
}

function headerFrame(header: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, header.length);
  return concat(length, header);
}

const MALFORMED: readonly (readonly [what: string, bytes: Uint8Array | string])[] = [
  ["a text frame", "hello"],
  ["an empty frame", new Uint8Array(0)],
  ["garbage", Uint8Array.from({ length: 200 }, (_unused, i) => (i * 37) % 256)],
  ["a part longer than the frame", Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1)],
  ["a header that is no JSON", headerFrame(utf8("{"))],
  ["a header that is a list", headerFrame(utf8("[]"))],
  ["a header without a type", writeFrame({ rid: 1 })],
  ["a header of a type that is none", writeFrame({ type: "shout" })],
  ["a header of a type that is not a name", headerFrame(encodeStrict({ type: 1 }))],
];

describe("before a login the relay ends a peer that sends", () => {
  test.each(MALFORMED)("%s", async (_what, bytes) => {
    const client = await WireClient.dial(house.url);
    client.socket.send(bytes);
    expect((await client.next("failed")).header["code"]).toMatch(/^(frame-form|json-)/);
    expect(await client.closed).toBe(1008);
    await stillServes();
  });

  test("more than a login needs", async () => {
    const client = await WireClient.dial(house.url);
    client.socket.send(new Uint8Array(MAX_STRANGER_BYTES + 1));
    expect([1006, 1008]).toContain(await client.closed);
    await stillServes();
  });
});

describe("after a login the relay", () => {
  test("ends a peer whose frame is larger than any may be", async () => {
    const client = await operatorAt(house.url, house.tenant);
    client.socket.send(new Uint8Array(MAX_FRAME_BYTES + 1));
    expect(await client.closed).toBe(1009);
    await stillServes();
  });

  test("refuses a device's frame that is larger than a device's may be", async () => {
    const client = await deviceAt(house.url, house.tenant, web);
    const answer = await client.request({ type: "inventory" }, [new Uint8Array(MAX_DEVICE_FRAME_BYTES + 1)]);
    expect(answer.header["code"]).toBe("frame-form");
  });

  test.each(MALFORMED)("ends an operator, or refuses the request, for %s", async (_what, bytes) => {
    const client = await operatorAt(house.url, house.tenant);
    client.socket.send(bytes);
    expect((await client.next("failed")).header["code"]).toMatch(/^(frame-form|json-)/);
    await stillServes();
  });

  test("refuses what the role does not do, and goes on", async () => {
    const client = await deviceAt(house.url, house.tenant, web);
    expect((await client.request({ type: "list-devices" })).header["code"]).toBe("frame-form");
    expect((await client.request({ type: "read-log", log: "key", from: 0 })).header["type"]).toBe("log");
  });

  test("reads a peer that floods it slowly, while others are served", async () => {
    const client = await operatorAt(house.url, house.tenant);
    const frame = writeFrame({ type: "list-jobs", rid: 1 });
    for (let i = 0; i < 30_000; i++) client.socket.send(frame);
    await stillServes();
    expect(client.waiting("jobs").length).toBeLessThan(15_000);
    client.socket.terminate();
    await stillServes();
  });

  test("lives through any bytes as frames", { timeout: 60_000 }, async () => {
    const fields = fc.dictionary(
      fc.constantFrom("type", "rid", "job", "offset", "size", "log", "from", "jobs", "pin", "request", "proposal"),
      fc.jsonValue(),
    );
    const parts = fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 4 });
    const type = fc.constantFrom(...TYPES);
    const shaped = fc.tuple(type, fields, parts).map(([name, others, pieces]) => {
      const header = headerFrame(utf8(JSON.stringify({ ...others, type: name })));
      return concat(header, ...pieces.map(headerFrame));
    });
    const frames = fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), shaped), { minLength: 1, maxLength: 5 });
    // With an address's allowance that is never used up.
    await using rich = await House.withTenant(new Tenant(), {
      ticks: () => performance.now() * 10_000,
      silenceMs: 3_600_000,
    });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...ROLES), frames, async (role, sent) => {
        const client = await clientAs(role, rich);
        for (const bytes of sent) client.socket.send(bytes);
        await client.close();
      }),
      { numRuns: 150 },
    );
    await stillServes(rich);
    expect(rich.lines.filter(({ message }) => message === "failed at a frame")).toEqual([]);
  });
});

const ROLES = ["stranger", "device", "operator", "newcomer"] as const;
const TYPES = `append submit watch read-log receipt taken live enrol login create-tenant
  find-tenant file-request withdraw-request reveal report withdraw-job list-requests
  reject-request offer-approval propose list-proposals read-proposal drop-proposal`.split(/\s+/);

async function clientAs(role: (typeof ROLES)[number], { url, tenant }: House): Promise<WireClient> {
  if (role === "device") return deviceAt(url, tenant, web);
  if (role === "newcomer") return newcomerAt(url, tenant, person("Grace"));
  return role === "operator" ? operatorAt(url, tenant) : WireClient.dial(url);
}

describe("a peer that has gone", () => {
  test("without closing is cut after its silence, and its device is offline", async () => {
    await using quick = await House.withTenant(new Tenant(), { silenceMs: 1500 });
    const client = await deviceAt(quick.url, quick.tenant, web);
    client.socket.pause();
    const operator = await operatorAt(quick.url, quick.tenant);
    const isOnline = async () => {
      const { header } = await operator.request({ type: "list-devices" });
      return JSON.stringify(header["devices"]).includes('"online":true');
    };
    expect(await isOnline()).toBe(true);
    await expect.poll(isOnline, { timeout: 10_000, interval: 200 }).toBe(false);
    client.socket.terminate();
  });

  test("to sleep while it watches misses live output, and nobody else does", { timeout: 60_000 }, async () => {
    const { tenant, url } = house;
    const chunk = new Uint8Array(randomBytes(60_000));
    const [slow, quick] = [await operatorAt(url, tenant), await operatorAt(url, tenant)];
    const target = await deviceAt(url, tenant, web);
    const job = jobFor({ tenant, devices: [web], word: "noisy" });
    const { header, parts } = submission(job);
    await slow.done(header, parts);
    await quick.done({ type: "watch", jobs: [job.job] });
    await target.next("job");
    target.send({ type: "live", job: job.job, index: 0 }, [chunk.subarray(0, 160)]);
    await quick.next("live-news");
    await slow.next("live-news");
    quick.send({ type: "take-live", credits: [{ job: job.job, device: web.id, upTo: 2 ** 30 }] });
    await quick.request({ type: "list-jobs" });
    slow.socket.pause();
    const count = 600;
    for (let index = 0; index < count; index++) {
      target.send({ type: "live", job: job.job, index: index + 1 }, [chunk]);
      if (index % 10 === 0) await target.request({ type: "read-log", log: "key", from: 0 });
    }
    await expect.poll(() => quick.waiting("live-news").length, { timeout: 30_000 }).toBe(count);
    slow.socket.resume();
    await slow.request({ type: "list-jobs" });
    expect(slow.waiting("live-news").length).toBeLessThan(count);
    expect(slow.socket.readyState).toBe(slow.socket.OPEN);
  });
});

function get(path: string, port = new URL(house.url).port): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const asked = request({ host: "127.0.0.1", port, path }, (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (text: string) => (body += text));
    response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
  });
  asked.on("error", reject).end();
  return promise;
}

describe("a peer that asks and does not take the answers", () => {
  test("is not read on, so that nothing piles up, and has them all when it goes on", { timeout: 60_000 }, async () => {
    const { tenant, url } = house;
    const client = await operatorAt(url, tenant);
    const { header, parts } = submission(jobFor({ tenant, devices: [web], word: "large" }));
    const [envelope = new Uint8Array(0), , ...wraps] = parts;
    await client.done(header, [envelope, new Uint8Array(1_000_000), ...wraps]);
    client.socket.pause();
    const before = process.memoryUsage().arrayBuffers;
    const asked = Array.from({ length: 200 }, () => client.request({ type: "read-job", job: header["job"] ?? "" }));
    await stillServes();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000);
    client.socket.resume();
    const answers = await Promise.all(asked);
    expect(new Set(answers.map((answer) => answer.header["type"]))).toEqual(new Set(["job-record"]));
  });
});

describe("plain HTTP", () => {
  test("shows health and metrics on loopback, and nothing else", async () => {
    expect(await get("/healthz")).toEqual({ status: 200, body: "ok\n" });
    const { body } = await get("/metrics");
    expect(body).toMatch(/keybound_relay_connections\{role="operator"\} \d+/);
    expect((await get("/")).status).toBe(404);
  });

  test("behind a proxy shows metrics on their own listener alone", async () => {
    await using proxied = await House.withTenant(new Tenant(), {
      behindTlsProxy: true,
      metricsListen: { host: "127.0.0.1", port: 17_699 },
    });
    expect((await get("/metrics", new URL(proxied.url).port)).status).toBe(404);
    expect((await get("/metrics", "17699")).status).toBe(200);
  });

  test("that dials another path, or dribbles its head, gets nowhere", async () => {
    const other = new WireClient(`${house.url}/elsewhere`);
    expect(await other.closed).toBe(1006);
    const socket = connect(Number(new URL(house.url).port), "127.0.0.1");
    socket.write("GET /healthz HTTP/1.1\r\n");
    await stillServes();
    socket.destroy();
  });
});
