// Jobs as they are composed: one batch for many devices, readable by those who shall and nobody else.
import { describe, expect, test } from "vitest";
import { toBase64url } from "../../protocol/bytes.ts";
import { MAX_READERS } from "../../protocol/limits.ts";
import { unwrapKey } from "../../protocol/seal.ts";
import { openStream } from "../../protocol/stream.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { type BodyFields, composeJobs, readersOf } from "../../operator/jobs/compose-job.ts";
import { statementSigner } from "../../operator/unlock/keyring.ts";
import { contextOf, type Device, device } from "../cast/device.ts";
import { person, raw } from "../cast/person.ts";
import { seeded } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";

const BODY: BodyFields = {
  shell: "sh",
  source: "true",
  args: [],
  env: [],
  user: { as: "system" },
  limits: { timeMs: 1000, outputBytes: 1000 },
  mayReboot: false,
};

function members(devices: readonly Device[]) {
  return devices.map(({ id, name, signer, sealing }) => ({
    device: id,
    sig: raw(signer),
    enc: raw(sealing),
    name,
    class: "standard",
    request: id,
    since: 0,
  }));
}

describe("a job", () => {
  const tenant = new Tenant();
  const access = device("client").sealing;
  const signing = {
    state: tenant.state,
    signer: statementSigner(tenant.founder.signer),
    operator: tenant.founder.operator,
    access: access.publicKey,
    now: tenant.clock.now,
    random: seeded("compose"),
  };

  test("for 600 devices is three jobs of one batch, and each device is in one of them", async () => {
    const devices = Array.from({ length: 600 }, (_, at) => device(`web${at}`));
    const jobs = await composeJobs(
      { work: { kind: "run", body: BODY }, targets: members(devices), expiresInMs: 1000 },
      signing,
    );
    expect(jobs.map(({ targets }) => targets.length)).toEqual([256, 256, 88]);
    expect(new Set(jobs.map(({ manifest }) => manifest.batch)).size).toBe(1);
    expect(new Set(jobs.map(({ manifest }) => manifest.job)).size).toBe(3);
    expect(jobs.flatMap(({ manifest }) => manifest.targets)).toEqual(devices.map(({ id }) => id));
  });

  test("is one that its devices take, open and find to be what was asked for", async () => {
    const devices = [device("web1"), device("web2")];
    const [job] = await composeJobs(
      { work: { kind: "run", body: BODY }, targets: members(devices), expiresInMs: 1000 },
      signing,
    );
    const [envelope, body, ...wraps] = job?.parts ?? [];
    if (envelope === undefined || body === undefined) throw new Error("no job");
    for (const [at, of] of devices.entries()) {
      const verdict = VerifiedJob.judge(envelope, contextOf(of, tenant));
      if (verdict.type !== "verified") throw new Error(verdict.type);
      const { body: opened } = verdict.job.open({ wrap: wraps[at] ?? new Uint8Array(0), body }, of.sealing);
      expect(opened).toMatchObject(BODY);
    }
  });

  test("is read by this client and its operator, each by a wrap in the manifest's order", async () => {
    const [job] = await composeJobs(
      { work: { kind: "run", body: BODY }, targets: members([device("web1")]), expiresInMs: 1000 },
      signing,
    );
    const [, body, , ...wraps] = job?.parts ?? [];
    expect(job?.manifest.readers).toEqual([toBase64url(access.publicKey), raw(tenant.founder.sealing)]);
    const use = { purpose: "job-body", statement: job?.statement ?? "" } as const;
    for (const [at, pair] of [access, tenant.founder.sealing].entries()) {
      const contentKey = unwrapKey(wraps[at] ?? new Uint8Array(0), { pair, use });
      expect(contentKey && body && openStream(contentKey, body)).toBeInstanceOf(Uint8Array);
    }
  });
});

describe("a job for devices that ask for different numbers of signatures", () => {
  const tenant = new Tenant({ policy: { jobThresholds: [{ kind: "any", class: "critical", count: 2 }] } });
  const olga = person("Olga");
  tenant.add(olga);
  const signing = {
    state: tenant.state,
    signer: statementSigner(tenant.founder.signer),
    operator: tenant.founder.operator,
    access: device("client").sealing.publicKey,
    now: tenant.clock.now,
    random: seeded("needs"),
  };

  test("is one for each number, of one batch, and only who could co-sign reads the one that asks for two", async () => {
    const devices = members([device("web1"), device("db1"), device("web2")]);
    const targets = devices.map((one) => ({ ...one, class: one.name === "db1" ? "critical" : "standard" }));
    const jobs = await composeJobs({ work: { kind: "run", body: BODY }, targets, expiresInMs: 1000 }, signing);
    const [alone, both] = jobs;
    expect(jobs.map((job) => [job.needed, job.targets.map(({ name }) => name)])).toEqual([
      [1, ["web1", "web2"]],
      [2, ["db1"]],
    ]);
    expect(both?.manifest.batch).toBe(alone?.manifest.batch);
    expect([alone, both].map((job) => job?.manifest.readers.includes(raw(olga.sealing)))).toEqual([false, true]);
  });
});

describe("readers", () => {
  test("are client, operator, auditors and admins, and not other operators", () => {
    const tenant = new Tenant();
    const [ada, olga, max] = [person("Ada B", "admin"), person("Olga"), person("Max", "auditor")];
    for (const who of [ada, olga, max]) tenant.add(who);
    const access = device("client").sealing.publicKey;
    const readers = readersOf({ state: tenant.state, operator: tenant.founder.operator, access });
    expect(readers).toEqual([toBase64url(access), raw(tenant.founder.sealing), raw(max.sealing), raw(ada.sealing)]);
  });

  test("are never more than a manifest takes", () => {
    const tenant = new Tenant();
    for (let at = 0; at < MAX_READERS + 2; at++) tenant.add(person(`Admin ${at}`, "admin"));
    const access = device("client").sealing.publicKey;
    expect(readersOf({ state: tenant.state, operator: tenant.founder.operator, access })).toHaveLength(MAX_READERS);
  });
});
