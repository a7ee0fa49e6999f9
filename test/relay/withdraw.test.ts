// A job taken back: it does not go out to devices that it has not reached, and goes on where it was sent.
import { expect, test } from "vitest";
import { device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { idOf } from "../cast/random.ts";
import { ReceiptChain } from "../cast/receipts.ts";
import { deviceAt, operatorAt } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { codeFor, sendReceipt, submission } from "./moves.ts";

const web = device("web-1");
const db = device("db-1");

/** A job for a device that has it and has not said so, and for one that is away. */
async function scene() {
  const house = await House.withTenant();
  const { tenant, url } = house;
  const [target, operator] = [await deviceAt(url, tenant, web), await operatorAt(url, tenant)];
  await (await deviceAt(url, tenant, db)).close();
  const job = jobFor({ tenant, devices: [web, db] });
  const { header, parts } = submission(job);
  await operator.done(header, parts);
  await target.next("job");
  await operator.next("progress");
  return { house, tenant, url, target, operator, job };
}

test("what waits of a withdrawn job has expired, and who watches hears why", async () => {
  const { house, tenant, url, operator, job } = await scene();
  await using _ = house;
  await operator.done({ type: "withdraw-job", job: job.job });
  expect((await operator.next("progress")).header).toEqual({
    type: "progress",
    job: job.job,
    device: db.id,
    state: "expired",
    note: "withdrawn",
  });
  const back = await deviceAt(url, tenant, db);
  await back.request({ type: "read-log", log: "key", from: 0 });
  expect(back.waiting("job")).toEqual([]);
});

test("a job is withdrawn from some of its devices and goes out to the others", async () => {
  const house = await House.withTenant();
  await using _ = house;
  const { tenant, url } = house;
  const operator = await operatorAt(url, tenant);
  for (const one of [web, db]) await (await deviceAt(url, tenant, one)).close();
  await expect.poll(async () => online(await operator.request({ type: "list-devices" }))).toBe(false);
  const job = jobFor({ tenant, devices: [web, db] });
  const { header, parts } = submission(job);
  await operator.done(header, parts);
  await operator.done({ type: "withdraw-job", job: job.job, devices: [db.id] });
  await (await deviceAt(url, tenant, web)).next("job");
  const away = await deviceAt(url, tenant, db);
  await away.request({ type: "read-log", log: "key", from: 0 });
  expect(away.waiting("job")).toEqual([]);
});

test("a device that was sent a withdrawn job and has not said so takes it and answers", async () => {
  const { house, tenant, target, operator, job } = await scene();
  await using _ = house;
  await operator.done({ type: "withdraw-job", job: job.job });
  target.send({ type: "taken", job: job.job });
  await sendReceipt(target, new ReceiptChain(web, tenant), { job });
  const { header } = await operator.request({ type: "read-job", job: job.job });
  expect(header["deliveries"]).toEqual([
    { device: web.id, state: "answered" },
    { device: db.id, state: "expired", note: "withdrawn" },
  ]);
});

test("what was sent on a connection that is gone does not go out again", async () => {
  const { house, tenant, url, target, operator, job } = await scene();
  await using _ = house;
  await target.close();
  await expect.poll(async () => online(await operator.request({ type: "list-devices" }))).toBe(false);
  await operator.done({ type: "withdraw-job", job: job.job });
  const back = await deviceAt(url, tenant, web);
  await back.request({ type: "read-log", log: "key", from: 0 });
  expect(back.waiting("job")).toEqual([]);
});

test("a job is withdrawn again without harm, and one that is not there is not withdrawn", async () => {
  const { house, operator, job } = await scene();
  await using _ = house;
  const withdraw = { type: "withdraw-job", job: job.job };
  await operator.done(withdraw);
  await operator.next("progress");
  await operator.done(withdraw);
  expect(operator.waiting("progress")).toEqual([]);
  expect(await codeFor(operator, { ...withdraw, job: idOf("none") })).toBe("job-unknown");
});

function online({ header }: { readonly header: object }): boolean {
  return JSON.stringify(header).includes('"online":true');
}
