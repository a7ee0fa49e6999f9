// A job's way through a relay: submitted, delivered, taken, answered, read; and everything that may go wrong on it.
import { describe, expect, test } from "vitest";
import type { Frame } from "../../protocol/frame.ts";
import { DAY, SECOND } from "../cast/clock.ts";
import { device } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { digestOf, idOf } from "../cast/random.ts";
import { ReceiptChain } from "../cast/receipts.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt, type WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { sendReceipt, submission } from "./moves.ts";

const web = device("web-1");
const db = device("db-1");

async function scene() {
  const house = await House.withTenant();
  const { tenant, url } = house;
  const target = await deviceAt(url, tenant, web);
  const operator = await operatorAt(url, tenant);
  return { house, tenant, url, target, operator };
}

async function submit(operator: WireClient, job: Job, over = {}): Promise<Frame> {
  const { header, parts } = submission(job, over);
  return operator.request(header, parts);
}

describe("a job", () => {
  test("is delivered as it was submitted, and its answer comes back to who watches", async () => {
    const { house, tenant, target, operator } = await scene();
    await using _ = house;
    const job = jobFor({ tenant, devices: [web] });
    expect((await submit(operator, job)).header).toMatchObject({ type: "ok" });
    const delivered = await target.next("job");
    expect(delivered.header).toEqual({ type: "job", job: job.job, watched: true });
    const { wrap, body } = job.sealedFor(web);
    expect(delivered.parts.map(text)).toEqual([job.envelope, wrap, body].map(text));
    expect((await operator.next("progress")).header).toMatchObject({ device: web.id, state: "sent" });
    target.send({ type: "taken", job: job.job });
    expect((await operator.next("progress")).header).toMatchObject({ state: "taken" });
    const { bytes } = await sendReceipt(target, new ReceiptChain(web, tenant), { job });
    const news = await operator.next("receipt-news");
    expect(news.header).toMatchObject({ job: job.job, device: web.id });
    expect(news.parts.map(text)).toEqual([text(bytes)]);
    expect((await operator.next("progress")).header).toMatchObject({ state: "answered" });
  });

  test("can be read afterwards, with its receipts and its result", async () => {
    const { house, tenant, target, operator } = await scene();
    await using _ = house;
    const job = jobFor({ tenant, devices: [web] });
    await submit(operator, job);
    await target.next("job");
    target.send({ type: "taken", job: job.job });
    const kept = [{ stream: "stdout", size: 6, head: new Uint8Array(6), tail: new Uint8Array(0) }] as const;
    const { bytes, result } = await sendReceipt(target, new ReceiptChain(web, tenant), { job, kept });
    const record = await operator.request({ type: "read-job", job: job.job });
    expect(record.header).toMatchObject({ type: "job-record", deliveries: [{ device: web.id, state: "answered" }] });
    const readerWraps = job.wraps.slice(1);
    expect(record.parts.map(text)).toEqual([job.envelope, job.body, ...readerWraps, bytes].map(text));
    const read = await operator.request({ type: "read-result", job: job.job, device: web.id, offset: 0 });
    expect(read.header["size"]).toBe(result?.length);
    expect(read.parts.map(text)).toEqual([result ?? new Uint8Array(0)].map(text));
    const listed = await operator.request({ type: "list-jobs" });
    expect(listed.header["jobs"]).toMatchObject([{ job: job.job, targets: 1, answered: 1 }]);
    const receipts = await operator.request({ type: "list-receipts", device: web.id, from: 1 });
    expect(receipts.parts.map(text)).toEqual([text(bytes)]);
  });

  test("submitted again is one job, and with other bytes is refused", async () => {
    const { house, tenant, target, operator } = await scene();
    await using _ = house;
    const job = jobFor({ tenant, devices: [web] });
    expect((await submit(operator, job)).header["type"]).toBe("ok");
    expect((await submit(operator, job)).header["type"]).toBe("ok");
    const other = await submit(operator, { ...job, body: job.body.slice(1) });
    expect(other.header).toMatchObject({ type: "failed", code: "job-id-reused" });
    await target.next("job");
    await operator.request({ type: "list-jobs" });
    expect(target.waiting("job")).toEqual([]);
  });

  test("for a device that nobody knows is refused", async () => {
    const { house, tenant, operator } = await scene();
    await using _ = house;
    const answer = await submit(operator, jobFor({ tenant, devices: [db] }));
    expect(answer.header).toMatchObject({ type: "failed", code: "device-unknown" });
  });

  test("waits for a device that is away, in order, and at most eight are on their way", async () => {
    const { house, tenant, url, target, operator } = await scene();
    await using _ = house;
    await target.close();
    const jobs = Array.from({ length: 10 }, (_unused, i) => jobFor({ tenant, devices: [web], word: `job ${i}` }));
    for (const job of jobs) await submit(operator, job);
    const back = await deviceAt(url, tenant, web);
    for (const job of jobs.slice(0, 8)) expect((await back.next("job")).header["job"]).toBe(job.job);
    await back.request({ type: "read-log", log: "key", from: 0 });
    expect(back.waiting("job")).toEqual([]);
    back.send({ type: "taken", job: jobs[3]?.job ?? "" });
    expect((await back.next("job")).header["job"]).toBe(jobs[8]?.job);
    await back.request({ type: "read-log", log: "key", from: 0 });
    expect(back.waiting("job")).toEqual([]);
  });

  test("that was not taken comes again on the next connection, and one that was taken does not", async () => {
    const { house, tenant, url, target, operator } = await scene();
    await using _ = house;
    const [first, second] = ["first", "second"].map((word) => jobFor({ tenant, devices: [web], word }));
    if (first === undefined || second === undefined) throw new Error("two jobs");
    await submit(operator, first);
    await submit(operator, second);
    await target.next("job");
    await target.next("job");
    target.send({ type: "taken", job: first.job });
    await target.request({ type: "read-log", log: "key", from: 0 });
    await target.close();
    const back = await deviceAt(url, tenant, web);
    expect((await back.next("job")).header["job"]).toBe(second.job);
    await back.request({ type: "read-log", log: "key", from: 0 });
    expect(back.waiting("job")).toEqual([]);
  });

  test("that expires before it is taken is not sent, and who watches hears of it", async () => {
    const house = await House.withTenant(new Tenant(), { sweepMs: 50 });
    await using _ = house;
    const { tenant, url } = house;
    await (await deviceAt(url, tenant, web)).close();
    const operator = await operatorAt(url, tenant);
    const job = jobFor({ tenant, devices: [web] });
    await submit(operator, job, { expiresAt: tenant.clock.now + SECOND });
    tenant.clock.turn(2 * SECOND);
    expect((await operator.next("progress")).header).toMatchObject({ device: web.id, state: "expired" });
    const back = await deviceAt(url, tenant, web);
    await back.request({ type: "read-log", log: "key", from: 0 });
    expect(back.waiting("job")).toEqual([]);
  });

  test("refused without an answer keeps the device's word for why", async () => {
    const { house, tenant, target, operator } = await scene();
    await using _ = house;
    const job = jobFor({ tenant, devices: [web] });
    await submit(operator, job);
    await target.next("job");
    target.send({ type: "taken", job: job.job, refused: "signature-bad" });
    await operator.next("progress");
    expect((await operator.next("progress")).header).toMatchObject({ state: "taken", note: "signature-bad" });
    const record = await operator.request({ type: "read-job", job: job.job });
    expect(record.header["deliveries"]).toEqual([{ device: web.id, state: "taken", note: "signature-bad" }]);
  });

  test("lists go on after a page, each job once", async () => {
    const { house, tenant, operator } = await scene();
    await using _ = house;
    for (let i = 0; i < 5; i++) await submit(operator, jobFor({ tenant, devices: [web], word: `job ${i}` }));
    const { header } = await operator.request({ type: "list-jobs" });
    const times = timesOf(header["jobs"]);
    expect(new Set(times).size).toBe(5);
    const older = await operator.request({ type: "list-jobs", before: times[2] ?? 0 });
    expect(timesOf(older.header["jobs"])).toEqual(times.slice(3));
  });
});

describe("a submission is refused", () => {
  test.each([
    ["with too few parts", { targets: [web.id, db.id, digestOf("nobody")] }, "frame-form"],
    ["with one target twice", { targets: [web.id, web.id] }, "frame-form"],
    ["without a target", { targets: [] }, "frame-form"],
    ["with an id that is none", { job: "x" }, "frame-form"],
    ["with an unknown field", { urgent: true }, "frame-form"],
  ])("%s", async (_what, over, code) => {
    const { house, tenant, operator } = await scene();
    await using _ = house;
    const answer = await submit(operator, jobFor({ tenant, devices: [web] }), over);
    expect(answer.header).toMatchObject({ type: "failed", code });
  });

  test("beyond a thousand jobs that wait for one device", { timeout: 60_000 }, async () => {
    const { house, tenant, target, operator } = await scene();
    await using _ = house;
    await target.close();
    const { header, parts } = submission(jobFor({ tenant, devices: [web] }));
    for (let i = 0; i < 1000; i++) await operator.done({ ...header, job: idOf(`job ${i}`) }, parts);
    const answer = await operator.request({ ...header, job: idOf("one too many") }, parts);
    expect(answer.header).toMatchObject({ type: "failed", code: "quota" });
  });
});

describe("live output", () => {
  test("reaches those who watch, the first frame those who come late, and asks the device to go on", async () => {
    const { house, tenant, url, target, operator } = await scene();
    await using _ = house;
    const job = jobFor({ tenant, devices: [web] });
    await submit(operator, job, { watch: false });
    expect((await target.next("job")).header["watched"]).toBe(false);
    target.send({ type: "taken", job: job.job });
    target.send({ type: "live", job: job.job, index: 0 }, [Uint8Array.of(1, 2)]);
    await target.request({ type: "read-log", log: "key", from: 0 });
    const late = await operatorAt(url, tenant);
    await late.done({ type: "watch", jobs: [job.job] });
    expect((await target.next("watched")).header["job"]).toBe(job.job);
    expect((await late.next("live-news")).header).toMatchObject({ device: web.id, index: 0 });
    late.send({ type: "take-live", credits: [{ job: job.job, device: web.id, upTo: 1_000 }] });
    await late.request({ type: "list-jobs" });
    target.send({ type: "live", job: job.job, index: 1 }, [Uint8Array.of(3)]);
    expect((await late.next("live-news")).header).toMatchObject({ index: 1 });
    await operator.request({ type: "list-jobs" });
    expect(operator.waiting("live-news")).toEqual([]);
  });

  test("of a job that is not the device's reaches nobody", async () => {
    const { house, tenant, url, operator } = await scene();
    await using _ = house;
    const job = jobFor({ tenant, devices: [web] });
    await submit(operator, job);
    const other = await deviceAt(url, tenant, db);
    other.send({ type: "live", job: job.job, index: 0 }, [Uint8Array.of(1)]);
    await other.request({ type: "read-log", log: "key", from: 0 });
    await operator.request({ type: "list-jobs" });
    expect(operator.waiting("live-news")).toEqual([]);
  });
});

describe("what is not there", () => {
  test.each([
    [{ type: "read-job", job: idOf("none") }, "job-unknown"],
    [{ type: "watch", jobs: [idOf("none")] }, "job-unknown"],
    [{ type: "read-result", job: idOf("none"), device: web.id, offset: 0 }, "job-unknown"],
    [{ type: "read-inventory", device: db.id }, "device-unknown"],
    [{ type: "forget-device", device: db.id }, "device-unknown"],
  ])("%j", async (header, code) => {
    const { house, operator } = await scene();
    await using _ = house;
    expect((await operator.request(header)).header).toMatchObject({ type: "failed", code });
  });
});

describe("retention", () => {
  test("deletes jobs, receipts and results when their time is over", async () => {
    const { house, tenant, target, operator } = await scene();
    await using _ = house;
    const job = jobFor({ tenant, devices: [web] });
    await submit(operator, job);
    const kept = [{ stream: "stdout", size: 6, head: new Uint8Array(6), tail: new Uint8Array(0) }] as const;
    await sendReceipt(target, new ReceiptChain(web, tenant), { job, kept });
    await house.stop();
    tenant.clock.turn(91 * DAY);
    await house.start({ pruneIntervalMs: 50 });
    const again = await operatorAt(house.url, tenant);
    await expect.poll(() => house.lines.filter(({ message }) => message === "pruned").length).toBeGreaterThan(1);
    expect((await again.request({ type: "read-job", job: job.job })).header["code"]).toBe("job-unknown");
    expect((await again.request({ type: "list-receipts", device: web.id, from: 0 })).parts).toEqual([]);
  });
});

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function timesOf(jobs: unknown): readonly number[] {
  if (!Array.isArray(jobs)) return [];
  return jobs.flatMap((job: unknown) =>
    typeof job === "object" && job !== null && "submittedAt" in job && typeof job.submittedAt === "number"
      ? [job.submittedAt]
      : [],
  );
}
