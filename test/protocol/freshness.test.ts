// Freshness: how long a relay can keep a device in the dark, by the policy's mode; and the checkpoints that say so.
import { describe, expect, test } from "vitest";
import { readCheckpoint } from "../../protocol/checkpoint.ts";
import type { Policy } from "../../protocol/policy.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { DAY, HOUR, MINUTE } from "../cast/clock.ts";
import { contextOf, device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { checkpointOf } from "../cast/login.ts";
import { type Person, person } from "../cast/person.ts";
import { digestOf } from "../cast/random.ts";
import { signersOf, Tenant } from "../cast/tenant.ts";
import { codeOf, wordOf } from "./refused.ts";

const ada = person("Ada", "admin");
const grace = person("Grace");
const hugo = person("Hugo", "auditor");
const web = device("web-1");

type Case = {
  readonly mode: Policy["freshness"]["mode"];
  readonly others?: readonly Person[];
  readonly signers?: readonly Person[];
  /** Who vouched how long ago. */
  readonly vouched?: readonly (readonly [Person, number])[];
  /** How long ago the job was signed. */
  readonly ago?: number;
  /** How long ago everybody was admitted. */
  readonly admitted?: number;
};

function judged({
  mode,
  others = [grace, hugo],
  signers = [ada],
  vouched = [],
  ago = 0,
  admitted = 3 * DAY,
}: Case): string {
  const tenant = new Tenant({ founder: ada, policy: { freshness: { mode, maxAgeMs: DAY } } });
  for (const other of others) tenant.add(other);
  // Everybody was admitted longer ago than the rule looks back.
  tenant.clock.turn(admitted);
  const now = tenant.clock.now;
  const manifest = { issuedAt: now - ago, notBefore: now - ago, expiresAt: now + DAY };
  const job = jobFor({ tenant, devices: [web], signers: signersOf(signers), manifest });
  const vouches = new Map(vouched.map(([who, since]) => [who.operator, now - since]));
  return wordOf(VerifiedJob.judge(job.envelope, contextOf(web, tenant, { vouches })));
}

describe("mode off", () => {
  test("asks for nobody's word", () => {
    expect(judged({ mode: "off", ago: 3 * DAY })).toBe("verified");
  });
});

describe("mode any", () => {
  test("takes the signer's own word, which the job itself is", () => {
    expect(judged({ mode: "any", ago: DAY })).toBe("verified");
    expect(judged({ mode: "any", ago: DAY + 1 })).toBe("job-stale");
    expect(judged({ mode: "any", ago: DAY + 1, vouched: [[ada, HOUR]] })).toBe("verified");
  });
});

describe("mode other", () => {
  test("wants somebody besides the signer, not longer ago than the bound", () => {
    expect(judged({ mode: "other" })).toBe("job-stale");
    expect(judged({ mode: "other", vouched: [[ada, 0]] })).toBe("job-stale");
    expect(judged({ mode: "other", vouched: [[grace, DAY]] })).toBe("verified");
    expect(judged({ mode: "other", vouched: [[grace, DAY + 1]] })).toBe("job-stale");
  });

  test("counts the admission of somebody as their word, for as long as any other", () => {
    expect(judged({ mode: "other", admitted: DAY })).toBe("verified");
    expect(judged({ mode: "other", admitted: DAY + 1 })).toBe("job-stale");
    expect(judged({ mode: "other", admitted: DAY, others: [hugo, grace], signers: [grace] })).toBe("verified");
  });

  test("does not count an auditor, a stranger, or a word from the future", () => {
    expect(judged({ mode: "other", vouched: [[hugo, 0]] })).toBe("job-stale");
    expect(judged({ mode: "other", vouched: [[person("Mallory"), 0]] })).toBe("job-stale");
    expect(judged({ mode: "other", vouched: [[grace, -10 * MINUTE]] })).toBe("verified");
    expect(judged({ mode: "other", vouched: [[grace, -10 * MINUTE - 1]] })).toBe("job-stale");
  });

  test("two who sign one job vouch for each other, and somebody alone for themselves", () => {
    expect(judged({ mode: "other", signers: [ada, grace] })).toBe("verified");
    expect(judged({ mode: "other", others: [hugo] })).toBe("verified");
    expect(judged({ mode: "other", others: [hugo], ago: DAY + 1 })).toBe("job-stale");
  });
});

const organisation = new Tenant({ founder: ada });
organisation.add(grace);
organisation.add(hugo);

const codeOfCheckpoint = (who: Person, over = {}) =>
  codeOf(() => readCheckpoint(checkpointOf(organisation, who, over), organisation.view));

describe("a checkpoint", () => {
  test("says whose it is and where it stands towards our log", () => {
    expect(readCheckpoint(checkpointOf(organisation, grace), organisation.view)).toMatchObject({
      operator: grace.operator,
      place: "known",
    });
    expect(readCheckpoint(checkpointOf(organisation, grace), organisation.viewAt(1)).place).toBe("ahead");
  });

  test("counts only of somebody who may sign jobs here", () => {
    expect(codeOfCheckpoint(hugo)).toBe("signer-role");
    expect(codeOfCheckpoint(person("Mallory"))).toBe("signer-unknown");
    expect(codeOfCheckpoint(grace, { tenant: digestOf("other") })).toBe("tenant-other");
    expect(codeOfCheckpoint(grace, { keyHead: { seq: 0, id: digestOf("other") } })).toBe("log-fork");
  });
});
