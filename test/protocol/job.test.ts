// A job at the one door: every check in its order, what the device may open, and what still stands when its turn comes.
import { describe, expect, test } from "vitest";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { DAY, HOUR, MINUTE } from "../cast/clock.ts";
import { contextOf, device } from "../cast/device.ts";
import { type Job, jobFor, type JobSetup } from "../cast/job.ts";
import { person, raw, renewed } from "../cast/person.ts";
import { digestOf } from "../cast/random.ts";
import { edited, flipped } from "../cast/statement.ts";
import { signersOf, Tenant } from "../cast/tenant.ts";
import { codeOf, wordOf } from "./refused.ts";

const ada = person("Ada", "admin");
const grace = person("Grace");
const hugo = person("Hugo", "auditor");
const mallory = person("Mallory");
const [web, mail] = [device("web-1"), device("mail-1")];

function organisation(): Tenant {
  const tenant = new Tenant({ founder: ada });
  tenant.add(grace);
  return tenant;
}

type Judged = Omit<JobSetup, "tenant" | "devices"> & {
  readonly tenant?: Tenant;
  readonly context?: Parameters<typeof contextOf>[2];
};

/** How web-1 judges a job by Grace with these changes. */
function judged({ tenant = organisation(), context, ...setup }: Judged = {}): string {
  const job = jobFor({ tenant, devices: [web], signers: [grace.signer], ...setup });
  return wordOf(VerifiedJob.judge(job.envelope, contextOf(web, tenant, context)));
}

function verified(job: Job, tenant: Tenant): VerifiedJob {
  const verdict = VerifiedJob.judge(job.envelope, contextOf(web, tenant));
  if (verdict.type !== "verified") throw new Error(wordOf(verdict));
  return verdict.job;
}

describe("the checks, the first that fails decides", () => {
  const bad = { expiresAt: 0, targets: [mail.id], tenant: mail.id, keyHead: { seq: 0, id: mail.id } };
  const few = { jobThresholds: [{ kind: "any", class: "any", count: 2 } as const] };

  test("3: a closed tenant, before anybody's signature is looked at", () => {
    const tenant = organisation();
    tenant.append({ type: "tenant.close", reason: "merged" }, [ada.signer]);
    expect(judged({ tenant, signers: [mallory.signer] })).toBe("tenant-closed");
  });

  test("4: a signature that counts, before a field is read", () => {
    expect(judged({ signers: [mallory.signer], manifest: { ...bad, job: "" } })).toBe("signer-unknown");
  });

  test("5: the manifest's form, before its address", () => {
    expect(judged({ manifest: { ...bad, extra: 1 } })).toBe("field-unknown");
  });

  test("6 and 7: the address, before the number of signers", () => {
    const tenant = organisation();
    tenant.setPolicy(few);
    expect(judged({ tenant, manifest: bad })).toBe("tenant-other");
    expect(judged({ tenant, manifest: { ...bad, tenant: tenant.id, minAgent: 2 } })).toBe("agent-old");
    expect(judged({ tenant, manifest: { ...bad, tenant: tenant.id } })).toBe("device-other");
  });

  test("8: the number of signers, before the time", () => {
    const tenant = organisation();
    tenant.setPolicy(few);
    expect(judged({ tenant, manifest: { expiresAt: 0 } })).toBe("signers-few");
  });

  test("9: the time, before the ledger", () => {
    expect(judged({ manifest: { expiresAt: 0 }, context: { claimed: () => "" } })).toBe("job-lifetime");
  });

  test("10: the ledger, before the key log", () => {
    const context = { claimed: () => digestOf("another") };
    expect(judged({ manifest: { keyHead: bad.keyHead }, context })).toBe("job-id-reused");
  });

  test("11: the key log, before freshness", () => {
    expect(judged({ manifest: { keyHead: bad.keyHead }, context: { vouches: new Map() } })).toBe("job-log-fork");
  });

  test("12: freshness, last", () => {
    const tenant = organisation();
    tenant.clock.turn(15 * DAY);
    expect(judged({ tenant, context: { vouches: new Map() } })).toBe("job-stale");
    expect(judged({ tenant })).toBe("verified");
  });
});

describe("signatures", () => {
  test("by a stranger beside a good one are passed over", () => {
    expect(judged({ signers: [mallory.signer, grace.signer] })).toBe("verified");
  });

  test("that do not fit, of an active key, refuse the job even beside a good one", () => {
    const tenant = organisation();
    const job = jobFor({ tenant, devices: [web], signers: signersOf([grace, ada]) });
    const swapped = edited(job.envelope, ({ signatures: [a, b], ...rest }) => ({
      ...rest,
      signatures: [a, { ...b, sig: a?.sig }],
    }));
    expect(wordOf(VerifiedJob.judge(swapped, contextOf(web, tenant)))).toBe("signature-bad");
  });

  test("of a revoked key count for nothing, and beside a good one do no harm", () => {
    const tenant = organisation();
    tenant.add(mallory);
    tenant.revoke(mallory);
    expect(judged({ tenant, signers: [mallory.signer] })).toBe("signer-revoked");
    expect(judged({ tenant, signers: signersOf([mallory, grace]) })).toBe("verified");
  });

  test("of an auditor, of a key past its end and of one recovered just now do not count", () => {
    const tenant = organisation();
    tenant.add(hugo);
    expect(judged({ tenant, signers: [hugo.signer] })).toBe("signer-role");
    tenant.clock.turn(180 * DAY);
    expect(judged({ tenant })).toBe("signer-expired");
  });

  test("are counted by person, as the kind and the device's own class ask", () => {
    const tenant = organisation();
    tenant.setPolicy({ jobThresholds: [{ kind: "run", class: "critical", count: 2 }] });
    expect(judged({ tenant })).toBe("verified");
    const context = { class: "critical" };
    expect(judged({ tenant, context })).toBe("signers-few");
    expect(judged({ tenant, context, signers: signersOf([grace, mallory]) })).toBe("signers-few");
    expect(judged({ tenant, context, signers: signersOf([grace, ada]) })).toBe("verified");
  });
});

describe("time", () => {
  const tenant = organisation();
  const now = tenant.clock.now;
  const at = (manifest: JobSetup["manifest"]) => judged({ tenant, ...(manifest === undefined ? {} : { manifest }) });

  test("a job is taken until the millisecond before its end", () => {
    expect(at({ issuedAt: now - HOUR, notBefore: now - HOUR, expiresAt: now + 1 })).toBe("verified");
    expect(at({ issuedAt: now - HOUR, notBefore: now - HOUR, expiresAt: now })).toBe("job-expired");
  });

  test("a signer's clock may be ten minutes ahead", () => {
    const [ahead, far] = [10 * MINUTE, 10 * MINUTE + 1].map((ms) => now + ms);
    const lasting = { expiresAt: now + HOUR };
    expect(at({ ...lasting, issuedAt: ahead, notBefore: ahead })).toBe("verified");
    expect(at({ ...lasting, issuedAt: far, notBefore: far })).toBe("job-not-yet");
  });

  test("a window begins before it ends and lasts no longer than the policy and thirty days", () => {
    expect(at({ expiresAt: now + 30 * DAY })).toBe("verified");
    expect(at({ expiresAt: now + 30 * DAY + 1 })).toBe("job-lifetime");
    expect(at({ notBefore: now + DAY })).toBe("job-lifetime");
    expect(at({ notBefore: now - 1 })).toBe("job-lifetime");
    const strict = organisation();
    strict.setPolicy({ maxJobLifetimeMs: HOUR });
    expect(judged({ tenant: strict, manifest: { expiresAt: now + HOUR } })).toBe("verified");
    expect(judged({ tenant: strict, manifest: { expiresAt: now + HOUR + 1 } })).toBe("job-lifetime");
  });
});

describe("the ledger and the key log", () => {
  test("the same job again is repeated, and another under its id is refused as that", () => {
    const tenant = organisation();
    const job = jobFor({ tenant, devices: [web], signers: [grace.signer] });
    expect(judged({ tenant, context: { claimed: () => job.statement } })).toBe("job-repeated");
    expect(judged({ tenant, context: { claimed: () => digestOf("another") } })).toBe("job-id-reused");
  });

  test("a job from a later key log asks the device to fetch, and is refused where it cannot", () => {
    const tenant = organisation();
    const behind = tenant.view;
    tenant.setPolicy({ prompt: "day" });
    expect(judged({ tenant, context: { keyLog: behind } })).toBe("behind");
    expect(judged({ tenant, context: { keyLog: behind, asked: true } })).toBe("job-log-unknown");
    expect(judged({ tenant })).toBe("verified");
  });

  test("a job from an earlier place of the same line is judged by today's keys", () => {
    const tenant = organisation();
    const before = tenant.head;
    tenant.setPolicy({ prompt: "day" });
    expect(judged({ tenant, manifest: { keyHead: before } })).toBe("verified");
    tenant.revoke(grace);
    expect(judged({ tenant, manifest: { keyHead: before } })).toBe("signer-revoked");
  });
});

describe("the body", () => {
  const tenant = organisation();
  const setup = { tenant, devices: [web, mail], signers: [grace.signer] };
  const job = jobFor(setup);
  const open = (wrap: Uint8Array, body: Uint8Array, of = web, by: Job = job) =>
    codeOf(() => verified(by, tenant).open({ wrap, body }, of.sealing));
  const { wrap, body } = job.sealedFor(web);

  test("opens for the device whose wrap it is, and for no other", () => {
    expect(open(wrap, body)).toBe("accepted");
    expect(open(wrap, body, mail)).toBe("body-sealed");
    expect(open(job.sealedFor(mail).wrap, body)).toBe("body-sealed");
  });

  test("is refused when a byte of it or of its wrap is changed, cut or added", () => {
    expect(open(flipped(wrap, 40), body)).toBe("body-sealed");
    expect(open(wrap.subarray(1), body)).toBe("body-sealed");
    expect(open(wrap, flipped(body, 0))).toBe("body-sealed");
    expect(open(wrap, body.subarray(0, -1))).toBe("body-sealed");
    expect(open(wrap, new Uint8Array([...body, 0]))).toBe("body-sealed");
  });

  test("of another job does not pass for this one's, even with its wrap", () => {
    const other = jobFor({ ...setup, word: "another" }).sealedFor(web);
    expect(open(other.wrap, other.body)).toBe("body-sealed");
  });

  test("is the one that the manifest names, although the key that seals it may open others", () => {
    const lied = { ...job.manifest, body: { sha256: digestOf("other"), size: job.plain.length } };
    const forged = jobFor({ ...setup, manifest: lied });
    expect(open(forged.sealedFor(web).wrap, forged.body, web, forged)).toBe("body-digest");
  });

  const opened = (over: JobSetup["body"]) => {
    const changed = jobFor({ ...setup, ...(over === undefined ? {} : { body: over }) });
    return open(changed.sealedFor(web).wrap, changed.body, web, changed);
  };

  test("is refused field by field", () => {
    expect(opened({ extra: 1 })).toBe("field-unknown");
    expect(opened({ salt: undefined })).toBe("field-missing");
    expect(opened({ shell: "fish" })).toBe("field-invalid");
    expect(opened({ shell: "exec" })).toBe("field-invalid");
    expect(opened({ shell: "exec", source: undefined, args: [] })).toBe("field-invalid");
    expect(opened({ shell: "exec", source: undefined, args: ["/bin/true"] })).toBe("accepted");
    expect(opened({ source: undefined })).toBe("field-invalid");
    expect(opened({ args: ["a\0b"] })).toBe("field-invalid");
    expect(opened({ limits: { timeMs: 0, outputBytes: 0 } })).toBe("field-invalid");
    const limits = { timeMs: 1, outputBytes: 0 };
    expect(opened({ limits: { ...limits, processes: 0 } })).toBe("field-invalid");
    expect(opened({ limits: { ...limits, memoryBytes: 16 * 1024 * 1024 - 1 } })).toBe("field-invalid");
    expect(opened({ limits: { ...limits, priority: "realtime" } })).toBe("field-invalid");
    const all = { endAtOutputBytes: 0, processes: 1, memoryBytes: 16 * 1024 * 1024, priority: "low" };
    expect(opened({ limits: { ...limits, ...all } })).toBe("accepted");
    expect(opened({ leave: false })).toBe("field-invalid");
    expect(opened({ leave: true })).toBe("accepted");
    expect(opened({ user: { as: "user", name: "root:x" } })).toBe("field-invalid");
    expect(opened({ user: { as: "root" } })).toBe("field-invalid");
    expect(opened({ user: { as: "console", name: "root" } })).toBe("field-unknown");
    expect(opened({ user: { as: "sessions", name: "root" } })).toBe("field-unknown");
    expect(opened({ user: { as: "console" } })).toBe("accepted");
    expect(opened({ user: { as: "sessions" } })).toBe("accepted");
    const twice = { name: "HOME", value: "/" };
    expect(opened({ env: [twice, twice] })).toBe("field-invalid");
  });
});

const resumed = (tenant: Tenant, job: Job) => codeOf(() => VerifiedJob.resume(job.envelope, contextOf(web, tenant)));

describe("an accepted job whose turn has come", () => {
  const accepted = (over: Partial<JobSetup> = {}) => {
    const tenant = organisation();
    tenant.add(hugo);
    return { tenant, job: jobFor({ tenant, devices: [web], signers: [grace.signer], ...over }) };
  };
  const next = renewed(grace);
  const changeKey = (tenant: Tenant, jobs: "cancel" | "keep") =>
    tenant.append({ type: "operator.change", key: tenant.keyOf(next), jobs }, [
      grace.signer,
      next.signer,
      next.recovery,
    ]);

  test("still stands, until it ends", () => {
    const { tenant, job } = accepted();
    expect(resumed(tenant, job)).toBe("accepted");
    tenant.clock.turn(DAY);
    expect(resumed(tenant, job)).toBe("job-expired");
  });

  test("falls with its key where the entry says cancel, and stands where it says keep", () => {
    const cancelled = accepted();
    cancelled.tenant.revoke(grace);
    expect(resumed(cancelled.tenant, cancelled.job)).toBe("signer-revoked");
    const kept = accepted();
    kept.tenant.revoke(grace, [ada], "keep");
    expect(resumed(kept.tenant, kept.job)).toBe("accepted");
  });

  test("outlives a change of key by its owner, and falls when that person is revoked later", () => {
    const { tenant, job } = accepted();
    changeKey(tenant, "keep");
    expect(resumed(tenant, job)).toBe("accepted");
    tenant.revoke(next);
    expect(resumed(tenant, job)).toBe("signer-revoked");
  });

  test("outlives a change of role, and falls with a revocation after it", () => {
    const { tenant, job } = accepted();
    tenant.append({ type: "operator.role", operator: grace.operator, role: "admin" }, [ada.signer]);
    expect(resumed(tenant, job)).toBe("accepted");
    tenant.revoke(grace);
    expect(resumed(tenant, job)).toBe("signer-revoked");
  });

  test("does not escape a revocation by naming an older place of the key log", () => {
    const tenant = organisation();
    const before = tenant.head;
    changeKey(tenant, "keep");
    const job = jobFor({ tenant, devices: [web], signers: [next.signer], manifest: { keyHead: before } });
    expect(resumed(tenant, job)).toBe("accepted");
    tenant.revoke(next);
    expect(resumed(tenant, job)).toBe("signer-revoked");
  });

  test("needs as many signers as the policy asks for now", () => {
    const { tenant, job } = accepted();
    tenant.setPolicy({ jobThresholds: [{ kind: "any", class: "any", count: 2 }] });
    expect(resumed(tenant, job)).toBe("signers-few");
  });

  test("falls with the tenant", () => {
    const { tenant, job } = accepted();
    tenant.append({ type: "tenant.close", reason: "merged" }, [ada.signer]);
    expect(resumed(tenant, job)).toBe("tenant-closed");
  });
});

describe("what a refusal says", () => {
  test("it is about a job only where a signature that counts says so", () => {
    const tenant = organisation();
    const about = (signers: JobSetup["signers"]) => {
      const job = jobFor({ tenant, devices: [mail], ...(signers === undefined ? {} : { signers }) });
      const verdict = VerifiedJob.judge(job.envelope, contextOf(web, tenant));
      return verdict.type === "refused" ? verdict.about : undefined;
    };
    expect(about([grace.signer])).toMatchObject({ readers: [raw(ada.sealing)] });
    expect(about([mallory.signer])).toBeUndefined();
  });
});
