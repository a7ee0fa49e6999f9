// Receipts and results on their way in: parts in order, a restart, too large, repeated, contradicting.
import { describe, expect, test } from "vitest";
import { MAX_FETCHED_BYTES } from "../../protocol/limits.ts";
import { device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { idOf } from "../cast/random.ts";
import { ReceiptChain } from "../cast/receipts.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { sendReceipt, submission, upload } from "./moves.ts";

const web = device("web-1");
const PART = 64 * 1024;

async function scene(over = {}) {
  const house = await House.withTenant(new Tenant(), over);
  const { tenant, url } = house;
  const target = await deviceAt(url, tenant, web);
  const operator = await operatorAt(url, tenant);
  const job = jobFor({ tenant, devices: [web] });
  const { header, parts } = submission(job);
  await operator.done(header, parts);
  await target.next("job");
  return { house, tenant, url, target, operator, job, chain: new ReceiptChain(web, tenant) };
}

function bytesOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_unused, i) => i % 251);
}

describe("a result", () => {
  test("of many parts is read back whole, from any offset", async () => {
    const { house, target, operator, job, chain } = await scene();
    await using _ = house;
    const result = bytesOf(3 * PART + 17);
    await upload(target, job.job, result, PART);
    await target.done({ type: "receipt", job: job.job, seq: 1 }, [chain.answer({ job }).bytes]);
    const read: Uint8Array[] = [];
    for (let offset = 100; offset < result.length; ) {
      const answer = await operator.request({ type: "read-result", job: job.job, device: web.id, offset });
      const [part] = answer.parts;
      if (part === undefined || part.length === 0) throw new Error("no bytes before the end");
      read.push(part);
      offset += part.length;
    }
    expect(Buffer.compare(Buffer.concat(read), result.subarray(100))).toBe(0);
    const beyond = { type: "read-result", job: job.job, device: web.id, offset: result.length };
    expect((await operator.request(beyond)).parts.map(({ length }) => length)).toEqual([0]);
  });

  test("of one receipt of several for a job is read by that receipt's count, and the receipts are listed newest first", async () => {
    const { house, target, operator, job, chain } = await scene();
    await using _ = house;
    for (const seq of [1, 2, 3]) {
      await upload(target, job.job, bytesOf(10 + seq), PART);
      const over = { occurrence: seq, runsLeft: 3 - seq };
      await target.done({ type: "receipt", job: job.job, seq }, [chain.answer({ job, over }).bytes]);
    }
    const read = { type: "read-result", job: job.job, device: web.id, offset: 0 };
    const sizes = await Promise.all([{}, { seq: 2 }, { seq: 3 }].map((seq) => operator.request({ ...read, ...seq })));
    expect(sizes.map(({ header }) => header["size"])).toEqual([11, 12, 13]);
    const list = { type: "list-answers", job: job.job, device: web.id };
    const pages = await Promise.all([{}, { before: 3 }].map((before) => operator.request({ ...list, ...before })));
    const [first, second, third] = chain.answers.map(({ bytes }) => Buffer.from(bytes));
    expect(pages.map(({ parts }) => parts.map((part) => Buffer.from(part)))).toEqual([
      [third, second, first],
      [second, first],
    ]);
    const { header } = await operator.request({ type: "list-jobs" });
    expect(header["jobs"]).toEqual([expect.objectContaining({ targets: 1, answered: 1 })]);
  });

  test("cut off by the end of a connection does not stand in the way of a receipt without one", async () => {
    const { house, tenant, url, target, job, chain } = await scene();
    await using _ = house;
    await target.done({ type: "result-part", job: job.job, offset: 0, size: 2 * PART }, [bytesOf(PART)]);
    await target.close();
    const back = await deviceAt(url, tenant, web);
    expect((await sendReceipt(back, chain, { job })).result).toBeUndefined();
  });

  test("that was cut off and is large goes on on the next connection", async () => {
    const { house, tenant, url, target, operator, job, chain } = await scene();
    await using _ = house;
    const result = bytesOf(5 * 256 * 1024);
    const size = result.length;
    await target.done({ type: "result-part", job: job.job, offset: 0, size }, [result.subarray(0, 256 * 1024)]);
    await target.close();
    const back = await deviceAt(url, tenant, web);
    const { header } = await back.request({ type: "stat-result", job: job.job, size });
    expect(header["received"]).toBe(256 * 1024);
    for (let offset = 256 * 1024; offset < size; offset += 256 * 1024) {
      const part = result.subarray(offset, offset + 256 * 1024);
      await back.done({ type: "result-part", job: job.job, offset, size }, [part]);
    }
    await back.done({ type: "receipt", job: job.job, seq: 1, result: true }, [chain.answer({ job }).bytes]);
    const answer = await operator.request({ type: "read-result", job: job.job, device: web.id, offset: 256 * 1024 });
    expect(Buffer.compare(answer.parts[0] ?? new Uint8Array(0), result.subarray(256 * 1024, 512 * 1024))).toBe(0);
  });

  test("that was cut off and is large does not stand in the way of a receipt that says it has none", async () => {
    const { house, tenant, url, target, job, chain } = await scene();
    await using _ = house;
    const size = 5 * 256 * 1024;
    await target.done({ type: "result-part", job: job.job, offset: 0, size }, [bytesOf(PART)]);
    await target.close();
    const back = await deviceAt(url, tenant, web);
    const receipt = { type: "receipt", job: job.job, seq: 1, result: false };
    expect((await back.request(receipt, [chain.answer({ job }).bytes])).header["type"]).toBe("ok");
  });

  test("begun again, also on another connection, is the later one", async () => {
    const { house, tenant, url, target, operator, job, chain } = await scene();
    await using _ = house;
    const part = { type: "result-part", job: job.job, offset: 0, size: 2 * PART };
    await target.done(part, [bytesOf(PART)]);
    await target.close();
    const back = await deviceAt(url, tenant, web);
    await upload(back, job.job, bytesOf(PART).toReversed(), PART);
    await back.done({ type: "receipt", job: job.job, seq: 1 }, [chain.answer({ job }).bytes]);
    const answer = await operator.request({ type: "read-result", job: job.job, device: web.id, offset: 0 });
    expect(Buffer.compare(answer.parts[0] ?? new Uint8Array(0), bytesOf(PART).toReversed())).toBe(0);
  });

  test.each([
    ["that leaves a gap", { offset: 2 * PART, size: 4 * PART }, PART],
    ["of another size than before", { offset: PART, size: 3 * PART }, PART],
    ["beyond its own end", { offset: 0, size: 10 }, 11],
    ["in crumbs", { offset: 0, size: PART }, 100],
    ["that is too large", { offset: 0, size: MAX_FETCHED_BYTES + 1 }, PART],
  ])("%s is refused", async (_what, place, bytes) => {
    const { house, target, job } = await scene();
    await using _ = house;
    await target.done({ type: "result-part", job: job.job, offset: 0, size: 4 * PART }, [bytesOf(PART)]);
    const answer = await target.request({ type: "result-part", job: job.job, ...place }, [bytesOf(bytes)]);
    expect(answer.header["code"]).toBe("frame-form");
  });

  test("that is not whole keeps its receipt out", async () => {
    const { house, target, job, chain } = await scene();
    await using _ = house;
    await target.done({ type: "result-part", job: job.job, offset: 0, size: 2 * PART }, [bytesOf(PART)]);
    const receipt = await target.request({ type: "receipt", job: job.job, seq: 1 }, [chain.answer({ job }).bytes]);
    expect(receipt.header["code"]).toBe("frame-form");
  });

  test("of four begun before makes way for a fifth, the oldest first", async () => {
    const { house, target } = await scene();
    await using _ = house;
    const part = { type: "result-part", offset: 0, size: 2 * PART };
    for (let i = 0; i < 5; i++) await target.done({ ...part, job: idOf(`job ${i}`) }, [bytesOf(PART)]);
    const next = async (i: number) =>
      (await target.request({ ...part, offset: PART, job: idOf(`job ${i}`) }, [bytesOf(PART)])).header["type"];
    expect([await next(0), await next(1), await next(4)]).toEqual(["failed", "ok", "ok"]);
  });

  test("sent again with a receipt that is stored leaves nothing behind", async () => {
    const { house, target, operator, job, chain } = await scene();
    await using _ = house;
    const { bytes } = await sendReceipt(target, chain, { job });
    await upload(target, job.job, bytesOf(2 * PART), PART);
    await target.done({ type: "receipt", job: job.job, seq: 1 }, [bytes]);
    const next = { type: "result-part", job: job.job, offset: PART, size: 2 * PART };
    expect((await target.request(next, [bytesOf(PART)])).header["code"]).toBe("frame-form");
    expect(
      (await operator.request({ type: "read-result", job: job.job, device: web.id, offset: 0 })).header["code"],
    ).toBe("job-unknown");
  });

  test("beyond the tenant's quota is refused, and the relay goes on", async () => {
    const { house, target, operator, job } = await scene({ quotaBytes: 3 * PART });
    await using _ = house;
    const send = (offset: number) =>
      target.request({ type: "result-part", job: job.job, offset, size: 4 * PART }, [bytesOf(PART)]);
    const answers = [await send(0), await send(PART), await send(2 * PART)];
    expect(answers.map(({ header }) => header["code"] ?? "ok")).toEqual(["ok", "ok", "quota"]);
    expect((await operator.request({ type: "list-jobs" })).header["type"]).toBe("jobs");
  });
});

describe("a receipt", () => {
  test("sent twice is stored once", async () => {
    const { house, tenant, target, operator, job, chain } = await scene();
    await using _ = house;
    const { bytes } = await sendReceipt(target, chain, { job });
    await target.done({ type: "receipt", job: job.job, seq: 1 }, [bytes]);
    expect((await operator.request({ type: "list-receipts", device: web.id, from: 0 })).parts).toHaveLength(1);
    expect(tenant.id).toBe(house.tenant.id);
  });

  test("that contradicts the one of its count is refused", async () => {
    const { house, target, job, chain } = await scene();
    await using _ = house;
    await sendReceipt(target, chain, { job });
    const other = chain.answer({ job, over: { seq: 1 } });
    const answer = await target.request({ type: "receipt", job: job.job, seq: 1 }, [other.bytes]);
    expect(answer.header["code"]).toBe("receipt-chain");
  });

  test("for a job that the relay never had is stored too", async () => {
    const { house, target, operator, chain } = await scene();
    await using _ = house;
    const job = { job: idOf("elsewhere"), statement: chain.before.id };
    await sendReceipt(target, chain, { job });
    expect((await operator.request({ type: "list-receipts", device: web.id, from: 0 })).parts).toHaveLength(1);
    const listed = await operator.request({ type: "list-devices" });
    expect(listed.header["devices"]).toMatchObject([{ receipts: 1 }]);
  });

  test("of another device's key is refused", async () => {
    const { house, tenant, target, job } = await scene();
    await using _ = house;
    const { bytes } = new ReceiptChain(device("db-1"), tenant).answer({ job });
    const answer = await target.request({ type: "receipt", job: job.job, seq: 1 }, [bytes]);
    expect(answer.header["code"]).toBe("signer-unknown");
  });

  test("that is the second for a job leaves the first as its answer", async () => {
    const { house, target, operator, job, chain } = await scene();
    await using _ = house;
    const { bytes } = await sendReceipt(target, chain, { job });
    await sendReceipt(target, chain, { job, outcome: { type: "refused", code: "job-repeated" } });
    const record = await operator.request({ type: "read-job", job: job.job });
    expect(Buffer.compare(record.parts.at(-1) ?? new Uint8Array(0), bytes)).toBe(0);
  });
});
