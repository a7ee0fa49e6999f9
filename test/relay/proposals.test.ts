// Statements that wait for a second signature: left by one operator's client for another, and gone when they are carried out.
import { describe, expect, test } from "vitest";
import { MAX_PROPOSALS } from "../../protocol/limits.ts";
import { MAX_PROPOSAL_LIFETIME_MS } from "../../relay/limits.ts";
import { DAY } from "../cast/clock.ts";
import { device } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { approvalOf } from "../cast/key-request.ts";
import { checkpointOf } from "../cast/login.ts";
import { person } from "../cast/person.ts";
import { digestOf } from "../cast/random.ts";
import { idOfEnvelope } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { accessAt, deviceAt, operatorAt, type WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { codeFor, submission } from "./moves.ts";

const web = device("web-1");
const grace = person("Grace");

async function scene(over = {}) {
  const tenant = new Tenant();
  tenant.add(grace);
  const house = await House.withTenant(tenant, over);
  const [ada, other] = [await operatorAt(house.url, tenant), await operatorAt(house.url, tenant, grace)];
  const job = jobFor({ tenant, devices: [web] });
  return { house, tenant, url: house.url, ada, other, job };
}

/** The frame that proposes a job, with everything that its submission will need. */
function proposal(tenant: Tenant, { statement, envelope, body, wraps }: Job) {
  const header = { type: "propose", proposal: statement, expiresAt: tenant.clock.now + DAY };
  return [header, [envelope, body, ...wraps]] as const;
}

async function listed(client: WireClient): Promise<unknown> {
  return (await client.request({ type: "list-proposals" })).header["proposals"];
}

describe("a proposal", () => {
  test("is there for a colleague's client as it was left, after a restart too", async () => {
    const { house, tenant, ada, other, job } = await scene();
    await using _ = house;
    await ada.done(...proposal(tenant, job));
    await other.next("waiting-news");
    await house.stop();
    await house.start();
    const client = await accessAt(house.url, tenant, grace);
    const { header, parts } = await client.request({ type: "list-proposals" });
    const { now } = tenant.clock;
    expect(header["proposals"]).toEqual([{ proposal: job.statement, proposedAt: now, expiresAt: now + DAY }]);
    expect(parts).toEqual([Buffer.from(job.envelope)]);
    const record = await client.request({ type: "read-proposal", proposal: job.statement });
    expect(record.header["type"]).toBe("proposal-record");
    expect(record.parts).toEqual([job.envelope, job.body, ...job.wraps].map((part) => Buffer.from(part)));
  });

  test("with more signatures takes the place of the one with fewer, and not the other way", async () => {
    const { house, tenant, ada, other, job } = await scene();
    await using _ = house;
    const signers = [tenant.founder.signer, grace.signer];
    const both = jobFor({ tenant, devices: [web], signers });
    expect(both.statement).toBe(job.statement);
    await ada.done(...proposal(tenant, job));
    await ada.done(...proposal(tenant, job));
    await other.done(...proposal(tenant, both));
    expect(await codeFor(ada, ...proposal(tenant, job))).toBe("signers-few");
    const { parts } = await ada.request({ type: "list-proposals" });
    expect(parts).toEqual([Buffer.from(both.envelope)]);
  });

  test("is dropped by any operator's client, once", async () => {
    const { house, tenant, ada, other, job } = await scene();
    await using _ = house;
    await ada.done(...proposal(tenant, job));
    const drop = { type: "drop-proposal", proposal: job.statement };
    await other.done(drop);
    expect(await listed(ada)).toEqual([]);
    expect(await codeFor(other, drop)).toBe("proposal-unknown");
    expect(await codeFor(ada, { type: "read-proposal", proposal: job.statement })).toBe("proposal-unknown");
  });

  test("is gone when its job is submitted, whoever signed it since", async () => {
    const { house, tenant, url, ada, other, job } = await scene();
    await using _ = house;
    await deviceAt(url, tenant, web);
    await ada.done(...proposal(tenant, job));
    await other.next("waiting-news");
    const signers = [tenant.founder.signer, grace.signer];
    const { header, parts } = submission(jobFor({ tenant, devices: [web], signers }));
    await other.done(header, parts);
    await ada.next("waiting-news");
    expect(await listed(ada)).toEqual([]);
  });

  test("stays when another job is submitted", async () => {
    const { house, tenant, url, ada, job } = await scene();
    await using _ = house;
    await deviceAt(url, tenant, web);
    await ada.done(...proposal(tenant, job));
    const { header, parts } = submission(jobFor({ tenant, devices: [web], word: "other" }));
    await ada.done(header, parts);
    expect(await listed(ada)).toHaveLength(1);
  });

  test("is gone when its entry stands in the key log", async () => {
    const { house, tenant, ada, other } = await scene();
    await using _ = house;
    const entry = tenant.sign({ type: "operator.role", operator: grace.operator, role: "auditor" }, [
      tenant.founder.signer,
    ]);
    const header = { type: "propose", proposal: idOfEnvelope(entry), expiresAt: tenant.clock.now + DAY };
    await ada.done(header, [entry]);
    await other.next("waiting-news");
    await ada.done({ type: "append", log: "key" }, [entry]);
    await other.next("waiting-news");
    expect(await listed(ada)).toEqual([]);
  });

  test("ends at its own time, and at the latest after thirty days, and is deleted then", async () => {
    const { house, tenant, ada, job } = await scene();
    await using _ = house;
    const [header, parts] = proposal(tenant, job);
    await ada.done({ ...header, expiresAt: tenant.clock.now + 400 * DAY }, parts);
    const expiresAt = tenant.clock.now + MAX_PROPOSAL_LIFETIME_MS;
    expect(await listed(ada)).toMatchObject([{ expiresAt }]);
    tenant.clock.turn(MAX_PROPOSAL_LIFETIME_MS);
    expect(await listed(ada)).toEqual([]);
    expect(await codeFor(ada, { type: "read-proposal", proposal: job.statement })).toBe("proposal-unknown");
    await house.stop();
    await house.start({ pruneIntervalMs: 50 });
    await expect.poll(() => house.lines.map(({ fields }) => fields)).toContainEqual({ rows: 1, of: "proposals" });
  });

  test("of another tenant is not there", async () => {
    const { house, tenant, ada, job } = await scene();
    await using _ = house;
    await ada.done(...proposal(tenant, job));
    const other = new Tenant({ name: "Other", founder: person("Olga", "admin") });
    await house.move(other);
    const neighbour = await operatorAt(house.url, other);
    expect(await listed(neighbour)).toEqual([]);
    expect(await codeFor(neighbour, { type: "read-proposal", proposal: job.statement })).toBe("proposal-unknown");
    expect(await codeFor(neighbour, { type: "drop-proposal", proposal: job.statement })).toBe("proposal-unknown");
  });
});

describe("a proposal is refused", () => {
  test("that is not what its header says, not of a kind that is proposed, or over", async () => {
    const { house, tenant, ada, job } = await scene();
    await using _ = house;
    const [header, parts] = proposal(tenant, job);
    const approval = approvalOf(tenant, tenant.founder, digestOf("request"));
    const checkpoint = checkpointOf(tenant, tenant.founder);
    const cases = [
      { header: { ...header, proposal: digestOf("other") }, parts, code: "frame-form" },
      { header, parts: [], code: "frame-form" },
      { header: { ...header, expiresAt: tenant.clock.now }, parts, code: "frame-form" },
      { header: { ...header, proposal: idOfEnvelope(approval) }, parts: [approval], code: "envelope-type" },
      { header: { ...header, proposal: idOfEnvelope(checkpoint) }, parts: [checkpoint], code: "envelope-type" },
      { header, parts: [new Uint8Array(9)], code: "envelope-json" },
    ];
    for (const one of cases) expect(await codeFor(ada, one.header, one.parts)).toBe(one.code);
    expect(await listed(ada)).toEqual([]);
  });

  test("beyond so many", { timeout: 60_000 }, async () => {
    const { house, tenant, ada } = await scene();
    await using _ = house;
    for (let i = 0; i < MAX_PROPOSALS; i++) {
      await ada.done(...proposal(tenant, jobFor({ tenant, devices: [web], word: `job ${i}` })));
    }
    const more = proposal(tenant, jobFor({ tenant, devices: [web], word: "one too many" }));
    expect(await codeFor(ada, ...more)).toBe("quota");
    await ada.done(...proposal(tenant, jobFor({ tenant, devices: [web], word: "job 7" })));
    tenant.clock.turn(DAY);
    await ada.done({ ...more[0], expiresAt: tenant.clock.now + DAY }, more[1]);
    expect(await listed(ada)).toHaveLength(1);
  });

  test("beyond what the tenant may keep, and what is dropped makes room", async () => {
    const { house, tenant, ada, job } = await scene({ quotaBytes: 60_000 });
    await using _ = house;
    const [header, parts] = proposal(tenant, job);
    const [envelope] = parts;
    await ada.done(header, [envelope, new Uint8Array(50_000)]);
    const another = jobFor({ tenant, devices: [web], word: "another" });
    const next = [{ ...header, proposal: another.statement }, [another.envelope, new Uint8Array(20_000)]] as const;
    expect(await codeFor(ada, ...next)).toBe("quota");
    await ada.done({ type: "drop-proposal", proposal: job.statement });
    expect(await codeFor(ada, ...next)).toBe("ok");
  });

  test("by a tenant whose log is closed, as is a job", async () => {
    const { house, tenant, url, ada, job } = await scene();
    await using _ = house;
    await deviceAt(url, tenant, web);
    tenant.append({ type: "tenant.close", reason: "done" }, [tenant.founder.signer]);
    await ada.done({ type: "append", log: "key" }, tenant.log.slice(-1));
    expect(await codeFor(ada, ...proposal(tenant, job))).toBe("tenant-closed");
    const { header, parts } = submission(job);
    expect(await codeFor(ada, header, parts)).toBe("tenant-closed");
  });
});

test("a list of proposals is as many as fit one frame", { timeout: 60_000 }, async () => {
  const { house, tenant, ada } = await scene();
  await using _ = house;
  const targets = Array.from({ length: 1400 }, (_unused, i) => digestOf(`target ${i}`));
  for (let i = 0; i < 24; i++) {
    // Larger than any that a device takes: the relay does not read them.
    const job = jobFor({ tenant, devices: [web], word: `job ${i}`, manifest: { targets } });
    await ada.done(...proposal(tenant, job));
  }
  const { header, parts } = await ada.request({ type: "list-proposals" });
  expect(parts.length).toBeGreaterThan(15);
  expect(parts.length).toBeLessThan(24);
  expect(header["proposals"]).toHaveLength(parts.length);
});
