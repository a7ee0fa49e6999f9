// Sealed files of jobs at the relay: up in parts and on after a cut, out to the job's devices alone, kept while they are needed.
import { describe, expect, test } from "vitest";
import { DAY } from "../cast/clock.ts";
import { device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { contentOf, fileFor } from "../cast/job-file.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt, type WireClient } from "../cast/wire-client.ts";
import { BLOB_PART_BYTES, MAX_BLOB_BYTES } from "../../protocol/limits.ts";
import { House } from "./house.ts";
import { submission } from "./moves.ts";

const [web, mail] = [device("web-1"), device("mail-1")];
const { file, sealed } = fileFor({ content: contentOf(3 * BLOB_PART_BYTES) });
const { blob } = file;
const size = sealed.length;

async function scene(over = {}) {
  const house = await House.withTenant(new Tenant(), over);
  const { tenant, url } = house;
  const operator = await operatorAt(url, tenant);
  const target = await deviceAt(url, tenant, web);
  const job = jobFor({ tenant, devices: [web], body: { files: [file] } });
  return { house, tenant, url, operator, target, job };
}

async function put(client: WireClient, { from = 0, to = size }: { from?: number; to?: number } = {}): Promise<void> {
  for (let offset = from; offset < to; offset += BLOB_PART_BYTES) {
    const part = sealed.subarray(offset, Math.min(offset + BLOB_PART_BYTES, to));
    await client.done({ type: "put-blob", blob, offset, size }, [part]);
  }
}

async function stat(client: WireClient) {
  const { received, complete } = (await client.request({ type: "stat-blob", blob })).header;
  return { received, complete };
}

async function readAll(client: WireClient, job: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < size; ) {
    const { parts: came } = await client.request({ type: "read-blob", job, blob, offset });
    const [part] = came;
    if (part === undefined || part.length === 0) throw new Error(`nothing at ${offset}`);
    parts.push(part);
    offset += part.length;
  }
  return Buffer.concat(parts);
}

const codeOf = async (client: WireClient, header: Parameters<WireClient["request"]>[0], parts: Uint8Array[] = []) =>
  (await client.request(header, parts)).header["code"];

describe("a file of a job", () => {
  test("reaches a device of the job as it was sent", async () => {
    const { house, operator, target, job } = await scene();
    await using _ = house;
    await put(operator);
    const { header, parts } = submission(job, { blobs: [blob] });
    await operator.done(header, parts);
    await target.next("job");
    expect(Buffer.compare(await readAll(target, job.job), sealed)).toBe(0);
  });

  test("goes on where it was cut, also after the relay began anew", async () => {
    const { house, tenant, operator } = await scene();
    await using _ = house;
    await put(operator, { to: 2 * BLOB_PART_BYTES });
    await house.stop();
    await house.start();
    const back = await operatorAt(house.url, tenant);
    expect(await stat(back)).toEqual({ received: 2 * BLOB_PART_BYTES, complete: false });
    await put(back, { from: 2 * BLOB_PART_BYTES });
    expect(await stat(back)).toEqual({ received: size, complete: true });
  });

  test("begun again before it was complete is the later one", async () => {
    const { house, operator } = await scene();
    await using _ = house;
    await put(operator, { to: 2 * BLOB_PART_BYTES });
    await put(operator, { to: BLOB_PART_BYTES });
    expect(await stat(operator)).toEqual({ received: BLOB_PART_BYTES, complete: false });
  });

  test("that is complete stays as it is, whatever comes under its name", async () => {
    const { house, operator, target, job } = await scene();
    await using _ = house;
    await put(operator);
    await operator.done({ type: "put-blob", blob, offset: 0, size }, [new Uint8Array(BLOB_PART_BYTES)]);
    const { header, parts } = submission(job, { blobs: [blob] });
    await operator.done(header, parts);
    await target.next("job");
    expect(Buffer.compare(await readAll(target, job.job), sealed)).toBe(0);
  });

  test("that is not complete lets no job in that names it", async () => {
    const { house, operator, job } = await scene();
    await using _ = house;
    await put(operator, { to: BLOB_PART_BYTES });
    const { header, parts } = submission(job, { blobs: [blob] });
    expect((await operator.request(header, parts)).header["code"]).toBe("blob-unknown");
    expect(await codeOf(operator, { type: "read-job", job: job.job })).toBe("job-unknown");
  });

  test("is not given to a device that the job was not for", async () => {
    const { house, tenant, url, operator, job } = await scene();
    await using _ = house;
    const stranger = await deviceAt(url, tenant, mail);
    await put(operator);
    const { header, parts } = submission(job, { blobs: [blob] });
    await operator.done(header, parts);
    expect(await codeOf(stranger, { type: "read-blob", job: job.job, blob, offset: 0 })).toBe("blob-unknown");
  });

  test("is not given under a job that does not name it", async () => {
    const { house, operator, target, job } = await scene();
    await using _ = house;
    await put(operator);
    const { header, parts } = submission(job);
    await operator.done(header, parts);
    expect(await codeOf(target, { type: "read-blob", job: job.job, blob, offset: 0 })).toBe("blob-unknown");
  });

  test("of one tenant is nothing to another", async () => {
    const { house, operator } = await scene();
    await using _ = house;
    await put(operator);
    const other = new Tenant({ name: "Other" });
    await house.move(other);
    const stranger = await operatorAt(house.url, other);
    expect(await stat(stranger)).toEqual({ received: 0, complete: false });
  });

  test.each([
    ["that leaves a gap", { offset: BLOB_PART_BYTES, size }, BLOB_PART_BYTES],
    ["beyond its own end", { offset: 0, size: 10 }, 11],
    ["in crumbs", { offset: 0, size }, 100],
    ["larger than a part may be", { offset: 0, size }, BLOB_PART_BYTES + 1],
    ["of a file that is too large", { offset: 0, size: MAX_BLOB_BYTES + 1 }, BLOB_PART_BYTES],
    ["of a file of nothing", { offset: 0, size: 0 }, 0],
  ])("in a part %s is refused", async (_what, place, bytes) => {
    const { house, operator } = await scene();
    await using _ = house;
    const header = { type: "put-blob", blob, ...place };
    expect(await codeOf(operator, header, [new Uint8Array(bytes)])).toBe("frame-form");
  });

  test("has to fit the tenant's quota", async () => {
    const { house, operator } = await scene({ quotaBytes: BLOB_PART_BYTES + 1000 });
    await using _ = house;
    await put(operator, { to: BLOB_PART_BYTES });
    const header = { type: "put-blob", blob, offset: BLOB_PART_BYTES, size };
    const part = sealed.subarray(BLOB_PART_BYTES, 2 * BLOB_PART_BYTES);
    expect(await codeOf(operator, header, [part])).toBe("quota");
  });
});

async function keptAfter(days: number, { named = false, lifetimeDays = 1 } = {}) {
  const { house, tenant, operator } = await scene({ pruneIntervalMs: 20 });
  await using _ = house;
  const job = jobFor({
    tenant,
    devices: [web],
    body: { files: [file] },
    manifest: { expiresAt: tenant.clock.now + lifetimeDays * DAY },
  });
  await put(operator);
  const { header, parts } = submission(job, { blobs: [blob] });
  if (named) await operator.done(header, parts);
  tenant.clock.now += days * DAY;
  await house.stop();
  await house.start();
  await new Promise((resolve) => setTimeout(resolve, 300));
  return house.stored(({ db }) => db.all("SELECT n FROM blob").length + db.all("SELECT at FROM blob_part").length) > 0;
}

describe("a file is kept", () => {
  test("for a while where no job names it", async () => expect(await keptAfter(6)).toBe(true));
  test("for no longer than that", async () => expect(await keptAfter(8)).toBe(false));
  test("while a device may still ask for it", async () =>
    expect(await keptAfter(20, { named: true, lifetimeDays: 29 })).toBe(true));
  test("not once its job has expired", async () => expect(await keptAfter(20, { named: true })).toBe(false));
});
