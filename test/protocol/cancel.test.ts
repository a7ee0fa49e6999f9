// A cancel at the one door and in a receipt: judged like any job, bounded, and never mistaken for a run.
import { describe, expect, test } from "vitest";
import { isSuccess, type Outcome, outcomeWords } from "../../protocol/outcome.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { DAY } from "../cast/clock.ts";
import { contextOf, device } from "../cast/device.ts";
import { type JobSetup, jobFor } from "../cast/job.ts";
import { person, raw } from "../cast/person.ts";
import { ReceiptChain } from "../cast/receipts.ts";
import { Tenant } from "../cast/tenant.ts";
import { codeOf } from "./refused.ts";

const acme = new Tenant();
const web = device("web1");
const echo = jobFor({ tenant: acme, devices: [web], word: "echo" });

function opened(setup: Partial<JobSetup> = {}) {
  const tenant = setup.tenant ?? acme;
  const job = jobFor({ tenant, devices: [web], word: "cancel", cancels: [echo], ...setup });
  const verdict = VerifiedJob.judge(job.envelope, contextOf(web, tenant));
  if (verdict.type === "refused") throw verdict.refusal;
  if (verdict.type !== "verified") throw new Error(verdict.type);
  return verdict.job.open(job.sealedFor(web), web.sealing);
}

describe("a cancel", () => {
  test("opens as a cancel of the jobs that were signed", () => {
    const { kind, body } = opened();
    expect({ kind, body }).toMatchObject({
      kind: "cancel",
      body: { jobs: [{ job: echo.job, statement: echo.statement, expiresAt: acme.clock.now + DAY }] },
    });
  });

  test("needs as many signatures as the policy asks for a cancel, whatever it asks for a run", () => {
    const both = person("Bob", "admin");
    const tenant = new Tenant({ policy: { jobThresholds: [{ kind: "cancel", class: "any", count: 2 }] } });
    tenant.add(both);
    expect(codeOf(() => opened({ tenant }))).toBe("signers-few");
    expect(opened({ tenant, signers: [tenant.founder.signer, both.signer] }).kind).toBe("cancel");
  });

  test("by one operator is taken where the policy asks two for a run", () => {
    const tenant = new Tenant({ policy: { jobThresholds: [{ kind: "run", class: "any", count: 2 }] } });
    expect(opened({ tenant }).kind).toBe("cancel");
  });

  test.each([
    ["with the body of a run", { cancels: [echo], manifest: { kind: "run" } }],
    ["that names a job twice", { cancels: [echo, echo] }],
    ["of more jobs than 64", { cancels: Array.from({ length: 65 }, (_, at) => of(`job ${at}`)) }],
    ["that is for later", { manifest: { notBefore: acme.clock.now + 1 } }],
    [
      "that bars a job for more than thirty days and ten minutes",
      { cancels: [{ ...echo, manifest: { expiresAt: acme.clock.now + 31 * DAY } }] },
    ],
  ])("%s is refused", (_, setup) => {
    expect(codeOf(() => opened(setup))).toMatch(/^field-(invalid|missing)$/);
  });

  test("of 64 jobs opens", () => {
    expect(opened({ cancels: Array.from({ length: 64 }, (_, at) => of(`job ${at}`)) }).kind).toBe("cancel");
  });
});

function of(word: string) {
  return jobFor({ tenant: acme, devices: [web], word });
}

const done = (...states: readonly ("ended" | "barred" | "lost" | "no-room")[]): Outcome => ({
  type: "cancel-done",
  jobs: states.map((state, at) => ({ job: of(`job ${at}`).job, state })),
});

describe("a cancel's answer", () => {
  test("is a receipt of at most 16 KiB for 64 jobs, in the cancel's order", () => {
    const outcome = done(...Array.from({ length: 64 }, () => "no-room" as const));
    const { bytes } = new ReceiptChain(web, acme).answer({ job: echo, outcome });
    expect(readReceipt(bytes, { sig: raw(web.signer), tenant: acme.id }).receipt.outcome).toEqual(outcome);
  });

  test("is success only where no job runs or will run", () => {
    expect([done("ended", "barred"), done("ended", "lost"), done("no-room")].map(isSuccess)).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("is said with how many had got how far", () => {
    expect(outcomeWords(done("ended", "barred", "ended"))).toBe("cancel done: 2 ended, 1 barred");
  });
});
