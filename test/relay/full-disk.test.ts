// A full disk: what cannot be stored is answered, what was confirmed stays, and the relay goes on.
import { describe, expect, test } from "vitest";
import { device } from "../cast/device.ts";
import { idOf } from "../cast/random.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";
import { jobFor } from "../cast/job.ts";
import { deviceAt, operatorAt, type WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { submission } from "./moves.ts";

const web = device("web-1");
/** 1.2 MiB: room for the tables and a few jobs. */
const PAGES = 300;

/** Submits jobs of 100 KB until one is not stored; how many were, and the answer to the one that was not. */
async function fill(operator: WireClient, tenant: Tenant) {
  const { header, parts } = submission(jobFor({ tenant, devices: [web] }));
  const [envelope = new Uint8Array(0), , ...wraps] = parts;
  for (let stored = 0; stored < 100; stored++) {
    const large = [envelope, new Uint8Array(100_000), ...wraps];
    const answer = await operator.request({ ...header, job: idOf(`job ${stored}`) }, large);
    if (answer.header["type"] !== "ok") return { stored, answer };
  }
  throw new Error("the disk was never full");
}

describe("on a full disk", () => {
  test("jobs are answered busy, others are read, and after room is made all is there", async () => {
    await using house = await House.withTenant(new Tenant(), { maxPages: PAGES });
    const { tenant } = house;
    const target = await deviceAt(house.url, tenant, web);
    const operator = await operatorAt(house.url, tenant);
    const { stored, answer } = await fill(operator, tenant);
    expect(stored).toBeGreaterThan(0);
    expect(answer.header).toMatchObject({ type: "failed", code: "busy" });
    expect(answer.header["message"]).toContain("the disk is full");
    expect((await operator.request({ type: "list-jobs" })).header["jobs"]).toHaveLength(stored);
    expect((await target.request({ type: "read-log", log: "key", from: 0 })).header["type"]).toBe("log");
    expect(house.lines.some(({ message }) => message === "could not store")).toBe(true);
    await house.stop();
    await house.start({ maxPages: 10_000 });
    const again = await operatorAt(house.url, tenant);
    expect((await again.request({ type: "list-jobs" })).header["jobs"]).toHaveLength(stored);
    await again.done(
      { ...submission(jobFor({ tenant, devices: [web] })).header },
      submission(jobFor({ tenant, devices: [web] })).parts,
    );
  });

  test("a roster entry that was not stored is not counted either", { timeout: 60_000 }, async () => {
    await using house = await House.withTenant(new Tenant(), { maxPages: PAGES });
    const { tenant } = house;
    await deviceAt(house.url, tenant, web);
    const operator = await operatorAt(house.url, tenant);
    await fill(operator, tenant);
    const roster = new RosterLog(tenant);
    let code: unknown = "ok";
    for (let i = 0; i < 500 && code === "ok"; i++) {
      roster.append({ type: "anchor" }, [tenant.founder.signer]);
      const { header } = await operator.request({ type: "append", log: "roster" }, roster.log.slice(-1));
      code = header["code"] ?? header["type"];
    }
    expect(code).toBe("busy");
    const again = await operator.request({ type: "append", log: "roster" }, roster.log.slice(-1));
    expect(again.header["code"]).toBe("busy");
    await house.stop();
    await house.start({ maxPages: 10_000 });
    const later = await operatorAt(house.url, tenant);
    await later.done({ type: "append", log: "roster" }, roster.log.slice(-1));
  });
});
