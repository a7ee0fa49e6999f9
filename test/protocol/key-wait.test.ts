// The waiting time of a recovered key: who waits with it, what it may not do meanwhile, and what ends it.
import { describe, expect, test } from "vitest";
import { noteFork } from "../../protocol/key-log.ts";
import type { Signer } from "../../protocol/signature.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { DAY } from "../cast/clock.ts";
import { contextOf, device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { person, renewed } from "../cast/person.ts";
import { type EventFields, Tenant, type TenantSetup } from "../cast/tenant.ts";
import { codeOf, wordOf } from "./refused.ts";

const ada = person("Ada", "admin");
const bob = person("Bob", "admin");
const cleo = person("Cleo", "admin");
const grace = person("Grace");
const root = person("root").signer;
const web = device("web-1");

const revocationOf = (who: typeof ada): EventFields => ({
  type: "operator.revoke",
  operator: who.operator,
  key: who.signer.key,
  reason: "stolen",
  jobs: "cancel",
});

/** Somebody's next keys, brought by the recovery key alone. */
function recover(tenant: Tenant, who: typeof ada): typeof ada {
  const next = renewed(who);
  const event: EventFields = { type: "operator.recover", key: tenant.keyOf(next) };
  tenant.append(event, [who.recovery, next.signer, next.recovery]);
  return next;
}

/** Grace has recovered her key, and the tenant asks such a key to wait a day. */
function delayed() {
  const tenant = new Tenant({ founder: ada, policy: { recoveryDelayMs: DAY } });
  tenant.add(grace);
  return { tenant, next: recover(tenant, grace), heardAt: tenant.clock.now };
}

const judged = (tenant: Tenant, who: typeof ada, heardAt: (seq: number) => number) =>
  wordOf(
    VerifiedJob.judge(
      jobFor({ tenant, devices: [web], signers: [who.signer] }).envelope,
      contextOf(web, tenant, { heardAt }),
    ),
  );

describe("a recovered key under a waiting time", () => {
  test("signs jobs only so long after the device has heard of it", () => {
    const { tenant, next, heardAt } = delayed();
    expect(judged(tenant, next, () => heardAt)).toBe("signer-delayed");
    tenant.clock.turn(DAY - 1);
    expect(judged(tenant, next, () => heardAt)).toBe("signer-delayed");
    tenant.clock.turn(1);
    expect(judged(tenant, next, () => heardAt)).toBe("verified");
  });

  test("does not shorten the wait by changing itself to another, and does not wait again", () => {
    const { tenant, next, heardAt } = delayed();
    const third = renewed(next);
    const change: EventFields = { type: "operator.change", key: tenant.keyOf(third), jobs: "keep" };
    tenant.append(change, [next.signer, third.signer, third.recovery]);
    const heard = (seq: number) => (seq === 2 ? heardAt : tenant.clock.now);
    expect(judged(tenant, third, heard)).toBe("signer-delayed");
    tenant.clock.turn(DAY);
    expect(judged(tenant, third, heard)).toBe("verified");
  });

  test("waits no more once an admin has approved the next one", () => {
    for (const type of ["operator.replace", "operator.change"] as const) {
      const { tenant, next } = delayed();
      const third = renewed(next);
      const jobs = type === "operator.change" ? { jobs: "keep" } : {};
      const by = type === "operator.change" ? [ada.signer, next.signer] : [ada.signer];
      tenant.append({ type, key: tenant.keyOf(third), ...jobs }, [...by, third.signer, third.recovery]);
      expect(judged(tenant, third, () => tenant.clock.now)).toBe("verified");
    }
  });

  test("does not shorten the wait by a policy and another recovery", () => {
    const { tenant, next } = delayed();
    tenant.setPolicy({ recoveryDelayMs: 0 });
    const third = recover(tenant, next);
    expect(judged(tenant, third, () => tenant.clock.now)).toBe("signer-delayed");
  });
});

/** Whoever has Ada's recovery file has made her next key; Bob is an admin still, if he ever was. */
function stolen({ others = [bob, grace], ...setup }: TenantSetup & { others?: readonly (typeof ada)[] } = {}) {
  const tenant = new Tenant({ founder: ada, policy: { recoveryDelayMs: DAY }, ...setup });
  for (const other of others) tenant.add(other);
  const place = tenant.head.seq + 1;
  const thief = recover(tenant, ada);
  const heard = (seq: number) => (seq === place ? heardAt : tenant.clock.now);
  const heardAt = tenant.clock.now;
  return { tenant, thief, heard };
}

const replacement = (tenant: Tenant, who: typeof ada): EventFields => ({
  type: "operator.replace",
  key: tenant.keyOf(renewed(who)),
});
const roleOf = (who: typeof ada, role: string): EventFields => ({
  type: "operator.role",
  operator: who.operator,
  role,
});
const own = ({ signer, recovery }: typeof ada): readonly Signer[] => [signer, recovery];

describe("an admin's key that was recovered by a thief", () => {
  test("gives nobody else a key that signs jobs before it may itself", () => {
    const { tenant, thief, heard } = stolen();
    const [puppet, next] = [person("Puppet", "admin"), renewed(grace)];
    tenant.add(puppet, [thief]);
    tenant.append(replacement(tenant, grace), [thief.signer, ...own(next)]);
    const again = recover(tenant, puppet);
    const heardOf = (who: typeof ada) => judged(tenant, who, heard);
    expect([thief, next].map(heardOf)).toEqual(["signer-delayed", "signer-delayed"]);
    tenant.clock.turn(DAY);
    expect([thief, next].map(heardOf)).toEqual(["verified", "verified"]);
    expect(judged(tenant, again, () => tenant.clock.now)).toBe("signer-delayed");
  });

  test("waits for the latest recovery with what several in a wait approve", () => {
    const { tenant, thief } = stolen({ others: [bob, cleo] });
    const next = recover(tenant, cleo);
    const place = tenant.head.seq;
    tenant.add(grace, [thief, next]);
    const heard = (since: number) => (seq: number) => (seq === place ? since : tenant.clock.now - DAY);
    expect(judged(tenant, grace, heard(tenant.clock.now))).toBe("signer-delayed");
    expect(judged(tenant, grace, heard(tenant.clock.now - DAY))).toBe("verified");
  });

  test("gives nobody a role that signs jobs before it may itself", () => {
    const hugo = person("Hugo", "auditor");
    const { tenant, thief, heard } = stolen({ others: [bob, hugo] });
    tenant.append(roleOf(hugo, "admin"), [thief.signer]);
    expect(judged(tenant, hugo, heard)).toBe("signer-delayed");
    expect(codeOf(() => tenant.revoke(bob, [hugo, thief]))).toBe("signers-few");
  });

  test("takes no power from the admins who can stop it, neither alone nor with a puppet", () => {
    const { tenant, thief } = stolen();
    const puppet = person("Puppet", "admin");
    tenant.add(puppet, [thief]);
    const both = [thief.signer, puppet.signer];
    const next = renewed(bob);
    expect(codeOf(() => tenant.revoke(bob, [thief]))).toBe("signers-few");
    expect(codeOf(() => tenant.append(roleOf(bob, "auditor"), both))).toBe("signers-few");
    expect(codeOf(() => tenant.append(replacement(tenant, bob), [...both, ...own(next)]))).toBe("signers-few");
    expect(codeOf(() => tenant.setPolicy({ adminThreshold: 5 }, [thief, puppet]))).toBe("signers-few");
    expect(codeOf(() => tenant.append({ type: "tenant.close", reason: "mine" }, both))).toBe("signers-few");
    expect(codeOf(() => tenant.revoke(thief, [bob]))).toBe("accepted");
    expect(codeOf(() => tenant.revoke(puppet, [bob]))).toBe("accepted");
  });

  test("revokes those who are no admins, and with an admin who never recovered anybody", () => {
    const { tenant, thief } = stolen({ others: [bob, cleo, grace] });
    expect(codeOf(() => tenant.revoke(grace, [thief]))).toBe("accepted");
    expect(codeOf(() => tenant.revoke(cleo, [thief, bob]))).toBe("accepted");
    expect(codeOf(() => tenant.revoke(bob, [bob]))).toBe("accepted");
  });

  test("revokes nobody on a line beside ours", () => {
    const { tenant, thief } = stolen();
    const before = tenant.head;
    tenant.setPolicy({ prompt: "day" }, [bob]);
    const forged = tenant.sign(revocationOf(bob), [thief.signer], before);
    expect(noteFork(tenant.state, forged, tenant.view.idAt).forks).toEqual([
      { id: expect.any(String), seq: tenant.head.seq },
    ]);
  });

  test("waits no more, nor what it then approves, once an admin has signed for the next one", () => {
    const { tenant, thief } = stolen();
    const next = renewed(thief);
    tenant.append(replacement(tenant, thief), [bob.signer, ...own(next)]);
    const hugo = person("Hugo");
    tenant.add(hugo, [next]);
    expect(judged(tenant, hugo, () => tenant.clock.now)).toBe("verified");
    expect(codeOf(() => tenant.revoke(bob, [next]))).toBe("accepted");
  });

  test("is not locked out where there is nobody else", () => {
    const { tenant, thief } = stolen({ others: [grace] });
    tenant.add(bob, [thief]);
    expect(codeOf(() => tenant.setPolicy({ recoveryDelayMs: 0 }, [thief]))).toBe("accepted");
    expect(codeOf(() => tenant.revoke(bob, [thief]))).toBe("accepted");
  });

  test("gives way to root keys", () => {
    const { tenant } = stolen({ roots: [root] });
    expect(codeOf(() => tenant.append(revocationOf(bob), [root]))).toBe("accepted");
  });
});
