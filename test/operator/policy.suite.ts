// The policy through the program, by real admins: in words, as a change that is shown before it is signed, and by as many as must.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toBase64url } from "../../protocol/bytes.ts";
import { longCode } from "../../protocol/key-approval.ts";
import { signKeyRequest } from "../../protocol/key-request.ts";
import { DEFAULT_POLICY, JobKind, type Policy } from "../../protocol/policy.ts";
import { changedPolicy, checkPolicyOptions, type PolicyOptions } from "../../operator/policy/policy-change.ts";
import { differenceWords, isWeakening, policyDiff } from "../../operator/policy/policy-diff.ts";
import { policyTraps } from "../../operator/policy/policy-traps.ts";
import { expectDone, OperatorHouse, type Ran } from "./house.ts";
import { type Colleague, founder, hire } from "./staff.ts";
import { newKeyOf, person } from "../cast/person.ts";
import { idOfEnvelope } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function asked(options: PolicyOptions, before: Policy = DEFAULT_POLICY): Policy {
  checkPolicyOptions(options);
  return changedPolicy(before, options);
}

/** Differences in words, from the default policy unless another is given. */
function differences(after: Policy, before: Policy = DEFAULT_POLICY): readonly string[] {
  return policyDiff({ before, after }).map(differenceWords);
}

const TWO = asked({ twoPerson: ["critical"] });

describe("a change", () => {
  test("sets what was asked for and leaves the rest", () => {
    const after = asked({
      admins: 2,
      signers: ["run:web=3", "critical=2"],
      jobLifetime: DAY,
      freshness: "any",
      freshnessAge: HOUR,
      prompt: "task",
      passphraseOnly: "forbid",
      recoveryDelay: DAY,
    });
    expect(after).toEqual({
      adminThreshold: 2,
      jobThresholds: [
        { kind: "run", class: "web", count: 3 },
        { kind: "any", class: "critical", count: 2 },
      ],
      maxJobLifetimeMs: DAY,
      freshness: { mode: "any", maxAgeMs: HOUR },
      prompt: "task",
      passphraseOnly: false,
      recoveryDelayMs: DAY,
    });
    expect(asked({ prompt: "day" })).toEqual({ ...DEFAULT_POLICY, prompt: "day" });
  });

  test("of a rule takes its place, and a count of one ends it", () => {
    expect(asked({ signers: ["any:critical=3"] }, TWO).jobThresholds).toEqual([
      { kind: "any", class: "critical", count: 3 },
    ]);
    expect(asked({ signers: ["any:critical=1"] }, TWO).jobThresholds).toEqual([]);
  });

  test.each<readonly [string, PolicyOptions]>([
    ["nothing", {}],
    ["no admins", { admins: 0 }],
    ["six admins", { admins: 6 }],
    ["six signers", { signers: ["any:critical=6"] }],
    ["another kind of job", { signers: ["format:critical=2"] }],
    ["a class that is none", { twoPerson: ["Not A Class"] }],
    ["a rule without a count", { signers: ["any:critical"] }],
    ["a rule twice", { twoPerson: ["critical"], signers: ["any:critical=3"] }],
    ["the end of a rule that is not there", { signers: ["any:critical=1"] }],
    ["jobs of less than a minute", { jobLifetime: 1000 }],
    ["jobs of two months", { jobLifetime: 60 * DAY }],
    ["an age beside freshness off", { freshness: "off", freshnessAge: DAY }],
    ["an age of a year", { freshnessAge: 365 * DAY }],
    ["a delay of a year", { recoveryDelay: 365 * DAY }],
    ["33 rules", { twoPerson: Array.from({ length: 33 }, (_, at) => `class${at}`) }],
  ])("to %s is misuse", (_words, options) => {
    expect(() => asked(options)).toThrow("misuse");
  });

  test("of the age where freshness is off is misuse", () => {
    const off = asked({ freshness: "off" });
    expect(() => asked({ freshnessAge: DAY }, off)).toThrow("misuse");
  });
});

describe("what a change does", () => {
  test.each<readonly [string, PolicyOptions, PolicyOptions, string]>([
    ["fewer admins", { admins: 2 }, { admins: 1 }, "admins: 2 admins -> 1 admin (weaker)"],
    [
      "fewer signers",
      { twoPerson: ["critical"] },
      { signers: ["critical=1"] },
      "signers: 2 for critical -> 1 for critical (weaker)",
    ],
    ["a longer life", { jobLifetime: DAY }, { jobLifetime: 7 * DAY }, "job-lifetime: 24 hours -> 7 days (weaker)"],
    ["a looser freshness", {}, { freshness: "any" }, "freshness: other, 14 days -> any, 14 days (weaker)"],
    ["no freshness", {}, { freshness: "off" }, "freshness: other, 14 days -> off (weaker)"],
    ["an older checkpoint", {}, { freshnessAge: 15 * DAY }, "freshness: other, 14 days -> other, 15 days (weaker)"],
    ["a wider prompt", { prompt: "task" }, { prompt: "day" }, "prompt: at each task -> once in 24 hours (weaker)"],
    [
      "passphrase-only",
      { passphraseOnly: "forbid" },
      { passphraseOnly: "allow" },
      "passphrase-only: forbidden -> allowed (weaker)",
    ],
    ["a shorter delay", { recoveryDelay: DAY }, { recoveryDelay: 0 }, "recovery-delay: 24 hours -> none (weaker)"],
  ])("%s weakens, and the other way round is stricter", (_words, first, second, said) => {
    const before = changedPolicy(DEFAULT_POLICY, first);
    const after = asked(second, before);
    expect(differences(after, before)).toEqual([said]);
    expect(isWeakening(policyDiff({ before, after }))).toBe(true);
    const back = policyDiff({ before: after, after: before });
    expect(back.map(({ effect }) => effect)).toEqual(["stricter"]);
  });

  test("more jobs side by side are neither weaker nor stricter", () => {
    const after = asked({ maxRunningJobs: 16 }, DEFAULT_POLICY);
    expect(differences(after, DEFAULT_POLICY)).toEqual(["max-running-jobs: 4 -> 16"]);
    expect(changedPolicy(after, { admins: 2 }).maxRunningJobs).toBe(16);
  });

  test("a stricter mode with an older checkpoint weakens", () => {
    const any = asked({ freshness: "any", freshnessAge: HOUR });
    const after = asked({ freshness: "other", freshnessAge: DAY }, any);
    expect(isWeakening(policyDiff({ before: any, after }))).toBe(true);
  });

  test("a rule for every device that a rule for one class exceeds leaves that class as it is", () => {
    const before = asked({ signers: ["critical=3"] });
    const after = asked({ signers: ["any:any=2"] }, before);
    expect(differences(after, before)).toEqual(["signers: 1 for all others -> 2 for all others (stricter)"]);
  });

  test("the same rule for each kind of job by itself is neither", () => {
    const each = JobKind.options.map((kind) => `${kind}:critical=2`);
    const after = asked({ signers: ["any:critical=1", ...each] }, TWO);
    expect(policyDiff({ before: TWO, after }).map(({ effect }) => effect)).toEqual(["other"]);
  });

  test("of one kind of job is said of that kind alone", () => {
    const rows = [{ kind: "run" as const, class: "any", count: 2 }];
    expect(differences({ ...DEFAULT_POLICY, jobThresholds: rows })).toEqual([
      "signers: 1 for all others (run only) -> 2 for all others (run only) (stricter)",
    ]);
  });
});

describe("traps", () => {
  const one = new Tenant();
  const now = one.clock.now;
  const three = new Tenant();
  three.add(person("Grace", "admin"));
  three.add(person("Hopper", "admin"));

  function traps(options: PolicyOptions, of: Tenant = one): readonly string[] {
    return policyTraps(asked(options), { state: of.state, now }).map(({ rule, says }) => `${rule}: ${says}`);
  }

  test("more signers than there are people stop every job", () => {
    expect(traps({ twoPerson: ["critical"] })).toContainEqual(
      expect.stringMatching(/^signers: 2 people must sign each job for critical, and only 1 can: no job runs there/),
    );
    expect(traps({ twoPerson: ["critical"] }, three)).toEqual([]);
  });

  test("two admins mean something only with three", () => {
    expect(traps({ admins: 2 })).toContainEqual(expect.stringContaining("it takes 3 admins to mean what it says"));
    expect(traps({ admins: 2 }, three)).toEqual([]);
    expect(traps({ admins: 3 }, three)).toContainEqual(expect.stringContaining("it takes 4 admins"));
  });

  test("the word of another bounds nothing where there is none", () => {
    expect(traps({ prompt: "day" })).toEqual([expect.stringMatching(/^freshness: there is nobody besides/)]);
    expect(traps({ prompt: "day" }, three)).toEqual([]);
  });

  test("forbidding keys of a passphrase alone ends none of them", () => {
    const of = new Tenant({ genesis: { key: { ...new Tenant().keyOf(person("Ada", "admin")), mode: "passphrase" } } });
    expect(traps({ passphraseOnly: "forbid" }, of)).toContainEqual(
      expect.stringContaining("the keys of Ada are of a passphrase alone and stay good"),
    );
  });
});

function set(who: Colleague, args: readonly string[]): Promise<Ran> {
  return who.unlocked(["policy", "set", ...args]);
}

describe("through the program", () => {
  let house: OperatorHouse;
  let ada: Colleague;
  let grace: Colleague;
  let bob: Colleague;

  beforeAll(async () => {
    house = await OperatorHouse.open();
    expectDone(await house.init(["--no-recovery-file"]));
    ada = await founder(house);
    grace = await hire(house, ada, { name: "Grace", role: "admin" });
    bob = await hire(house, ada, { name: "Bob", role: "operator" });
  }, 60_000);

  afterAll(() => house[Symbol.asyncDispose]());

  async function policy(who: Colleague = ada): Promise<Policy> {
    const shown: { policy: Policy } = JSON.parse(expectDone(await who.run(["policy", "--json"])).stdout);
    return shown.policy;
  }

  test("it is shown in words without a passphrase", async () => {
    const { stdout } = expectDone(await bob.run(["policy"]));
    expect(stdout).toContain("signers: 1 for all devices\n    one operator's signature is enough for a job\n");
    expect(stdout).toContain("freshness: other, 14 days\n");
    expect(stdout).toContain("in force since entry 0 of the key log; 1 of 2 admins must sign a change");
  });

  test("nothing is set that was not confirmed, and what it would do is said", async () => {
    const { code, stderr } = await set(ada, ["--signers", "any:critical=5"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: yes-needed: ")]);
    expect(stderr).toContain("  signers: 1 for critical -> 5 for critical (stricter)\n");
    expect(stderr).toContain("warning: 5 people must sign each job for critical, and only 3 can");
    expect(stderr).toContain("1 of 2 admins must sign it.");
    expect(await policy()).toEqual(DEFAULT_POLICY);
  });

  test("somebody who is no admin sets nothing", async () => {
    const { code, stderr } = await set(bob, ["--prompt", "day", "--yes"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: signer-role: ")]);
  });

  test("nonsense is misuse before a passphrase is asked for", async () => {
    const { code, stderr } = await ada.run(["policy", "set", "--signers", "any:critical=9"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("keybound: misuse: ")]);
  });

  test("one admin makes it stricter, and the roster is tied to that", async () => {
    const { stdout } = expectDone(await set(ada, ["--two-person", "critical", "--recovery-delay", "24h", "--yes"]));
    expect(stdout).toBe("set: entry 3 of the key log\n");
    const { jobThresholds, recoveryDelayMs } = await policy(bob);
    expect([jobThresholds, recoveryDelayMs]).toEqual([[{ kind: "any", class: "critical", count: 2 }], DAY]);
    const head = await ada.hand(({ client }) => client.ask("log", { type: "read-log", log: "roster", from: 0 }));
    const entries = head.parts.map((entry) => new TextDecoder().decode(entry));
    const payloads = entries.map((entry) => atob(JSON.parse(entry).payload));
    expect(payloads.at(-1)).toMatch(/"keyHead":.*"seq":3.*"type":"anchor"/);
  });

  test("what it says already changes nothing", async () => {
    const { stdout, stderr } = expectDone(await set(ada, ["--two-person", "critical", "--yes"]));
    expect([stdout, stderr]).toEqual(["", "the policy says that already; nothing was changed\n"]);
  });

  test("one admin does not weaken a rule of two: it takes two, and the second sees what they sign", async () => {
    const alone = expectDone(await set(ada, ["--signers", "any:critical=1", "--yes", "--json"]));
    expect(alone.stderr).toContain("This WEAKENS the policy.");
    const { state, proposal }: { state: string; proposal: string } = JSON.parse(alone.stdout);
    expect([state, (await policy()).jobThresholds.length]).toEqual(["proposed", 1]);

    const own = await ada.unlocked(["cosign", "--yes", "--", proposal]);
    expect([own.code, own.stderr]).toEqual([1, expect.stringContaining("keybound: signed-already: ")]);
    const operator = await bob.unlocked(["cosign", "--yes", "--", proposal]);
    expect([operator.code, operator.stderr]).toEqual([1, expect.stringContaining("keybound: signer-role: ")]);
    expect((await policy()).jobThresholds).toHaveLength(1);

    const second = expectDone(await grace.unlocked(["cosign", "--yes", "--", proposal]));
    expect(second.stderr).toContain("signed by Ada; 2 must sign");
    expect(second.stderr).toContain("sets the policy, and WEAKENS it");
    expect(second.stderr).toContain("signers: 2 for critical -> 1 for critical (weaker)");
    expect(second.stdout).toBe("appended: entry 4 of the key log\n");
    expect((await policy()).jobThresholds).toEqual([]);
  });

  test("a proposal for which the log has grown meanwhile is dropped", async () => {
    expectDone(await set(ada, ["--two-person", "critical", "--yes"]));
    const { proposal }: { proposal: string } = JSON.parse(
      expectDone(await set(ada, ["--signers", "any:critical=1", "--yes", "--json"])).stdout,
    );
    await hire(house, ada, { name: "Late", role: "auditor" });
    const { code, stderr } = await grace.unlocked(["cosign", "--yes", "--", proposal]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: proposal-stale: ")]);
    expect(expectDone(await grace.run(["cosign", "--json"])).stdout).toBe("[]\n");
    expect((await policy()).jobThresholds).toHaveLength(1);
  });

  test("another admin rejects what was proposed", async () => {
    const { proposal }: { proposal: string } = JSON.parse(
      expectDone(await set(ada, ["--signers", "any:critical=1", "--yes", "--json"])).stdout,
    );
    const unasked = await grace.run(["cosign", "--reject", "--", proposal]);
    expect([unasked.code, unasked.stderr]).toEqual([1, expect.stringContaining("keybound: yes-needed: ")]);
    const { stdout } = expectDone(await grace.run(["cosign", "--reject", "--yes", "--", proposal]));
    expect(stdout).toMatch(/^rejected /);
    expect((await policy()).jobThresholds).toHaveLength(1);
  });

  test("a key that two admins must approve is approved by the second, who is shown the code of its request", async () => {
    const state = await ada.hand(async (desk) => desk.state);
    await ada.write({ type: "policy.set", policy: { ...state.policy, adminThreshold: 2 } }, [grace.signer]);
    const nina = person("Nina");
    const key = newKeyOf(nina, Date.now() + DAY);
    const { role: _role, notAfter: _notAfter, ...own } = key;
    const fields = { ...own, tenant: state.tenant, purpose: "add", time: Date.now() } as const;
    const bytes = signKeyRequest(fields, { nonce: new Uint8Array(32), signers: [nina.signer, nina.recovery] });
    const written = await ada.write({ type: "operator.add", key, request: toBase64url(bytes) });
    const proposal = written.type === "proposed" ? written.proposal : "";
    const { stdout, stderr } = expectDone(await grace.unlocked(["cosign", "--yes", "--json", "--", proposal]));
    expect(stderr).toContain("makes Nina an operator");
    expect(stderr).toContain(`it must be ${longCode(idOfEnvelope(bytes))}`);
    expect(JSON.parse(stdout)).toMatchObject({ proposal, kind: "key-event", state: "appended", signed: 2, needed: 2 });
  });
});
