// The key log's story: who may sign what, and what is left of a key after it.
import { describe, expect, test } from "vitest";
import { admitKey } from "../../protocol/key-admission.ts";
import { judgeEvent, judgeGenesis, judgeLog } from "../../protocol/key-log.ts";
import { DEFAULT_POLICY } from "../../protocol/policy.ts";
import type { Signer } from "../../protocol/signature.ts";
import { DAY } from "../cast/clock.ts";
import { newKeyOf, type Person, person, raw, renewed } from "../cast/person.ts";
import { type EventFields, genesisOf, signersOf, Tenant } from "../cast/tenant.ts";
import { codeOf } from "./refused.ts";

const ada = person("Ada", "admin");
const bob = person("Bob", "admin");
const cleo = person("Cleo", "admin");
const grace = person("Grace");
const hugo = person("Hugo", "auditor");
const mallory = person("Mallory");

/** Ada founds; the others are added by her. */
function tenantOf(...others: readonly Person[]): Tenant {
  const tenant = new Tenant({ founder: ada });
  for (const other of others) tenant.add(other);
  return tenant;
}

function keys(tenant: Tenant, who: Person): { key: ReturnType<Tenant["keyOf"]>; own: readonly Signer[] } {
  return { key: tenant.keyOf(who), own: [who.signer, who.recovery] };
}

const change = (tenant: Tenant, who: Person): EventFields => ({
  type: "operator.change",
  key: tenant.keyOf(renewed(who)),
  jobs: "keep",
});
const revocation = (who: Person): EventFields => ({
  type: "operator.revoke",
  operator: who.operator,
  key: who.signer.key,
  reason: "left",
  jobs: "cancel",
});

const rootsSet = (threshold: number, ...roots: readonly Signer[]): EventFields => ({
  type: "root.set",
  root: { keys: roots.map(raw), threshold },
});

const until = (notAfter: number) => genesisOf({ founder: ada, genesis: { key: newKeyOf(ada, notAfter) } });

const signs = (event: (tenant: Tenant) => EventFields, by: readonly Signer[], also: readonly Signer[] = []) => {
  const tenant = tenantOf(bob, grace, hugo);
  return codeOf(() => tenant.append(event(tenant), [...by, ...also]));
};

describe("who may sign what", () => {
  const add = (tenant: Tenant): EventFields => ({ type: "operator.add", key: tenant.keyOf(mallory) });
  const own = [mallory.signer, mallory.recovery];

  test("an admin adds an operator; an operator, an auditor or the newcomer does not", () => {
    expect(signs(add, [ada.signer], own)).toBe("accepted");
    expect(signs(add, [grace.signer], own)).toBe("signer-role");
    expect(signs(add, [hugo.signer], own)).toBe("signer-role");
    expect(signs(add, [], own)).toBe("signer-unknown");
  });

  test("a new key that did not sign, or whose recovery key did not, is not taken", () => {
    expect(signs(add, [ada.signer])).toBe("log-proof-missing");
    expect(signs(add, [ada.signer, mallory.signer])).toBe("log-proof-missing");
  });

  test("an operator is added once, and replaced by another admin only when there", () => {
    const tenant = tenantOf(bob, grace);
    const next = renewed(grace);
    const { key, own: proofs } = keys(tenant, next);
    expect(codeOf(() => tenant.append({ type: "operator.add", key }, [ada.signer, ...proofs]))).toBe(
      "log-operator-exists",
    );
    tenant.append({ type: "operator.replace", key }, [ada.signer, ...proofs]);
    expect(tenant.state.operators.find(({ operator }) => operator === grace.operator)?.key).toBe(next.signer.key);
    const stranger = keys(tenant, mallory);
    expect(
      codeOf(() => tenant.append({ type: "operator.replace", key: stranger.key }, [ada.signer, ...stranger.own])),
    ).toBe("log-operator-unknown");
  });

  test("nobody replaces their own key as an admin", () => {
    const tenant = tenantOf(bob);
    const { key, own: proofs } = keys(tenant, renewed(ada));
    expect(codeOf(() => tenant.append({ type: "operator.replace", key }, [ada.signer, ...proofs]))).toBe("signer-role");
    expect(codeOf(() => tenant.append({ type: "operator.replace", key }, [bob.signer, ...proofs]))).toBe("accepted");
  });

  test("only an operator's own active key changes that operator's key, and the role stays", () => {
    const next = renewed(grace);
    const proofs = [next.signer, next.recovery];
    expect(signs((tenant) => change(tenant, grace), [grace.signer], proofs)).toBe("accepted");
    expect(signs((tenant) => change(tenant, grace), [ada.signer], proofs)).toBe("signer-role");
    expect(signs((tenant) => change(tenant, grace), [grace.recovery], proofs)).toBe("signer-role");
    const raised = (tenant: Tenant): EventFields => ({
      ...change(tenant, grace),
      key: { ...tenant.keyOf(next), role: "admin" },
    });
    expect(signs(raised, [grace.signer], proofs)).toBe("field-invalid");
  });

  test("only the registered recovery key recovers, and it must bring another", () => {
    const next = renewed(grace);
    const proofs = [next.signer, next.recovery];
    const recover = (tenant: Tenant): EventFields => ({ type: "operator.recover", key: tenant.keyOf(next) });
    expect(signs(recover, [grace.recovery], proofs)).toBe("accepted");
    expect(signs(recover, [grace.signer], proofs)).toBe("signer-role");
    expect(signs(recover, [ada.recovery], proofs)).toBe("signer-role");
    const without = (tenant: Tenant): EventFields => {
      const { recovery: _none, ...key } = tenant.keyOf(next);
      return { type: "operator.recover", key };
    };
    expect(signs(without, [grace.recovery], [next.signer])).toBe("field-missing");
  });

  test("a used recovery key is used up", () => {
    const tenant = tenantOf(bob);
    const [second, third] = [renewed(ada), renewed(renewed(ada))];
    tenant.append({ type: "operator.recover", key: tenant.keyOf(second) }, [ada.recovery, ...keys(tenant, second).own]);
    expect(
      codeOf(() =>
        tenant.append({ type: "operator.recover", key: tenant.keyOf(third) }, [
          ada.recovery,
          ...keys(tenant, third).own,
        ]),
      ),
    ).toBe("signer-unknown");
  });

  test("a recovery key does nothing but recover", () => {
    expect(signs(() => revocation(grace), [ada.recovery])).toBe("signer-role");
    expect(signs(() => ({ type: "policy.set", policy: DEFAULT_POLICY }), [ada.recovery])).toBe("signer-role");
  });

  test("a change of one's own key may keep the recovery key, and never another's", () => {
    const changed = (recovery: Signer | undefined) => {
      const tenant = tenantOf(grace);
      const { recovery: _other, ...key } = tenant.keyOf(renewed(ada));
      const kept = recovery === undefined ? key : { ...key, recovery: raw(recovery) };
      return codeOf(() =>
        tenant.append({ type: "operator.change", key: kept, jobs: "keep" }, [ada.signer, renewed(ada).signer]),
      );
    };
    expect(changed(ada.recovery)).toBe("accepted");
    expect(changed(undefined)).toBe("accepted");
    expect(changed(grace.recovery)).toBe("log-key-reused");
    expect(changed(renewed(ada).recovery)).toBe("log-proof-missing");
  });

  test("a recovery key that was kept through a change still recovers, once", () => {
    const tenant = tenantOf();
    const second = { ...renewed(ada), recovery: ada.recovery };
    tenant.append({ type: "operator.change", key: tenant.keyOf(second), jobs: "keep" }, [ada.signer, second.signer]);
    const recover = (to: Person) =>
      codeOf(() =>
        tenant.append({ type: "operator.recover", key: tenant.keyOf(to) }, [ada.recovery, ...keys(tenant, to).own]),
      );
    const third = renewed(renewed(ada));
    expect([recover(third), recover(renewed(third))]).toEqual(["accepted", "signer-unknown"]);
  });

  test("an operator's own key sets and removes the recovery key, and there must be something to remove", () => {
    const tenant = tenantOf();
    const other = person("spare").signer;
    const set: EventFields = { type: "operator.recovery", operator: ada.operator, recovery: raw(other) };
    expect(codeOf(() => tenant.append(set, [ada.signer]))).toBe("log-proof-missing");
    tenant.append(set, [ada.signer, other]);
    tenant.append({ type: "operator.recovery", operator: ada.operator }, [ada.signer]);
    expect(codeOf(() => tenant.append({ type: "operator.recovery", operator: ada.operator }, [ada.signer]))).toBe(
      "log-no-change",
    );
    const foreign = tenantOf(bob);
    expect(codeOf(() => foreign.append({ type: "operator.recovery", operator: ada.operator }, [bob.signer]))).toBe(
      "signer-role",
    );
  });

  test("an admin revokes anybody but the last admin; everybody may revoke themselves; nobody else may", () => {
    expect(signs(() => revocation(grace), [ada.signer])).toBe("accepted");
    expect(signs(() => revocation(bob), [ada.signer])).toBe("accepted");
    expect(signs(() => revocation(grace), [grace.signer])).toBe("accepted");
    expect(signs(() => revocation(bob), [grace.signer])).toBe("signer-role");
    expect(signs(() => revocation(mallory), [ada.signer])).toBe("log-operator-unknown");
    expect(signs(() => ({ ...revocation(grace), key: bob.signer.key }), [ada.signer])).toBe("log-operator-unknown");
  });

  test("another admin changes a role, to another one", () => {
    expect(signs(roleOf(grace, "admin"), [ada.signer])).toBe("accepted");
    expect(signs(roleOf(ada, "operator"), [ada.signer])).toBe("signer-role");
    expect(signs(roleOf(grace, "admin"), [grace.signer])).toBe("signer-role");
    expect(signs(roleOf(grace, "operator"), [ada.signer])).toBe("log-no-change");
  });

  test("root keys are set by the root keys before, each of the new ones signing", () => {
    const [one, two] = [person("root one").signer, person("root two").signer];
    const tenant = new Tenant({ founder: ada, roots: [one] });
    const set: EventFields = { type: "root.set", root: { keys: [raw(two)], threshold: 1 } };
    expect(codeOf(() => tenant.append(set, [ada.signer, two]))).toBe("signer-role");
    expect(codeOf(() => tenant.append(set, [one]))).toBe("log-proof-missing");
    tenant.append(set, [one, two]);
    expect(codeOf(() => tenant.append(revocation(ada), [one]))).toBe("signer-unknown");
  });

  test("a root key may stay while others come, go or count differently; one that left does not return", () => {
    const [one, two] = [person("root one").signer, person("root two").signer];
    const tenant = new Tenant({ founder: ada, roots: [one] });
    expect(codeOf(() => tenant.append(rootsSet(1, one), [one]))).toBe("log-no-change");
    expect(codeOf(() => tenant.append(rootsSet(2, one, two), [one]))).toBe("log-proof-missing");
    tenant.append(rootsSet(2, one, two), [one, two]);
    expect(codeOf(() => tenant.append(rootsSet(1, one, two), [two]))).toBe("signers-few");
    expect(codeOf(() => tenant.append(rootsSet(2, one, one), [one, two]))).toBe("field-invalid");
    tenant.append(rootsSet(1, one), [one, two]);
    expect(tenant.state.root).toEqual({ keys: [raw(one)], threshold: 1 });
    expect(codeOf(() => tenant.append(rootsSet(1, one, two), [one, two]))).toBe("log-key-reused");
    expect(codeOf(() => tenant.append(rootsSet(1, one, ada.signer), [one, ada.signer]))).toBe("log-key-reused");
  });

  test("root keys below their threshold do not suffice", () => {
    const roots = [person("root one").signer, person("root two").signer];
    const tenant = new Tenant({ founder: ada, roots, rootThreshold: 2 });
    const next = person("root three").signer;
    const set: EventFields = { type: "root.set", root: { keys: [raw(next)], threshold: 1 } };
    expect(codeOf(() => tenant.append(set, [...roots.slice(0, 1), next]))).toBe("signers-few");
    expect(codeOf(() => tenant.append(set, [...roots, next]))).toBe("accepted");
  });

  test("two admins close the tenant, or the only one, or the root keys", () => {
    const close: EventFields = { type: "tenant.close", reason: "merged" };
    expect(signs(() => close, [ada.signer])).toBe("signers-few");
    expect(signs(() => close, [ada.signer, bob.signer])).toBe("accepted");
    expect(codeOf(() => tenantOf(grace).append(close, [ada.signer]))).toBe("accepted");
    const root = person("root").signer;
    expect(codeOf(() => new Tenant({ founder: ada, roots: [root] }).append(close, [root]))).toBe("accepted");
  });

  test("nothing follows the closing entry", () => {
    const tenant = tenantOf();
    tenant.append({ type: "tenant.close", reason: "merged" }, [ada.signer]);
    expect(codeOf(() => tenant.add(grace))).toBe("tenant-closed");
  });
});

describe("a genesis entry", () => {
  test("makes the tenant, whose id is the entry's", () => {
    const { id, state } = judgeGenesis(genesisOf({ founder: ada }), admitKey);
    expect(state).toMatchObject({ tenant: id, head: { seq: 0, id }, epoch: 1, closed: false });
    expect(state.operators.map(({ operator, role }) => [operator, role])).toEqual([[ada.operator, "admin"]]);
  });

  test("is refused without the signature of each key that it brings", () => {
    const root = person("root").signer;
    const withRoot = { founder: ada, roots: [root] };
    expect(codeOf(() => judgeGenesis(genesisOf(withRoot), admitKey))).toBe("accepted");
    const unsigned = { root: { keys: [raw(root)], threshold: 1 } };
    expect(codeOf(() => judgeGenesis(genesisOf({ founder: ada, genesis: unsigned }), admitKey))).toBe(
      "log-proof-missing",
    );
  });

  test("is refused when its first operator is no admin", () => {
    expect(codeOf(() => judgeGenesis(genesisOf({ founder: grace }), admitKey))).toBe("log-last-admin");
  });

  test("may register the founder's recovery key as a root key as well, but no other key twice", () => {
    const shared = { founder: ada, roots: [ada.recovery] };
    expect(codeOf(() => judgeGenesis(genesisOf(shared), admitKey))).toBe("accepted");
    const twice = { founder: ada, genesis: { root: { keys: [raw(ada.signer)], threshold: 1 } } };
    expect(codeOf(() => judgeGenesis(genesisOf(twice), admitKey))).toBe("log-key-reused");
  });

  test("may not count one root key as two", () => {
    const doubled = { founder: ada, roots: [ada.recovery, ada.recovery], rootThreshold: 2 };
    expect(codeOf(() => judgeGenesis(genesisOf(doubled), admitKey))).toBe("field-invalid");
  });

  test("may not ask for more root keys than there are, nor for none of those there are", () => {
    for (const rootThreshold of [0, 2]) {
      const setup = { founder: ada, roots: [person("root").signer], rootThreshold };
      expect(codeOf(() => judgeGenesis(genesisOf(setup), admitKey))).toBe("field-invalid");
    }
  });

  test("may not give a key more than 400 days", () => {
    const now = new Tenant().clock.now;
    expect(codeOf(() => judgeGenesis(until(now + 400 * DAY), admitKey))).toBe("accepted");
    expect(codeOf(() => judgeGenesis(until(now + 400 * DAY + 1), admitKey))).toBe("log-lifetime");
  });
});

const roleOf = (who: Person, to: string) => () =>
  ({ type: "operator.role", operator: who.operator, role: to }) as const;

describe("thresholds", () => {
  test("two admins are asked for, besides the subject", () => {
    const tenant = tenantOf(bob, cleo, grace);
    tenant.setPolicy({ adminThreshold: 2 });
    const { key, own } = keys(tenant, mallory);
    expect(codeOf(() => tenant.append({ type: "operator.add", key }, [ada.signer, ...own]))).toBe("signers-few");
    expect(codeOf(() => tenant.append(revocation(cleo), [ada.signer]))).toBe("signers-few");
    expect(codeOf(() => tenant.append(revocation(grace), [ada.signer]))).toBe("accepted");
    expect(codeOf(() => tenant.append(revocation(cleo), [ada.signer, bob.signer]))).toBe("accepted");
  });

  test("are capped by how many admins there are, so that a shrunken tenant is not locked out", () => {
    const tenant = tenantOf(bob);
    tenant.setPolicy({ adminThreshold: 2 });
    tenant.append(revocation(bob), [bob.signer]);
    expect(codeOf(() => tenant.add(grace))).toBe("accepted");
  });

  test("a rule of two for jobs is weakened by two only", () => {
    const tenant = tenantOf(bob);
    tenant.setPolicy({ jobThresholds: [{ kind: "any", class: "critical", count: 2 }] });
    expect(codeOf(() => tenant.setPolicy({ jobThresholds: [] }))).toBe("signers-few");
    expect(codeOf(() => tenant.setPolicy({ jobThresholds: [] }, [ada, bob]))).toBe("accepted");
  });

  test("root keys set a policy alone", () => {
    const root = person("root").signer;
    const tenant = new Tenant({ founder: ada, roots: [root] });
    expect(codeOf(() => tenant.append({ type: "policy.set", policy: DEFAULT_POLICY }, [root]))).toBe("accepted");
  });
});

describe("the chain", () => {
  test("takes an entry only right after its head", () => {
    const tenant = tenantOf();
    const event: EventFields = { type: "policy.set", policy: DEFAULT_POLICY };
    expect(codeOf(() => tenant.append({ ...event, seq: 2 }, [ada.signer]))).toBe("log-gap");
    expect(codeOf(() => tenant.append({ ...event, prev: ada.signer.key }, [ada.signer]))).toBe("log-fork");
    expect(codeOf(() => tenant.append({ ...event, seq: 0 }, [ada.signer]))).toBe("log-fork");
    expect(codeOf(() => tenant.append({ ...event, tenant: ada.signer.key }, [ada.signer]))).toBe("tenant-other");
  });

  test("of two admins who sign at once, the second is told of a fork and signs again", () => {
    const tenant = tenantOf(bob);
    const second = tenant.sign({ type: "policy.set", policy: { ...DEFAULT_POLICY, prompt: "day" } }, [bob.signer]);
    tenant.setPolicy({ prompt: "task" });
    expect(codeOf(() => tenant.take(second))).toBe("log-fork");
    expect(codeOf(() => tenant.setPolicy({ prompt: "day" }, [bob]))).toBe("accepted");
  });

  test("does not take an entry of a revoked admin, whatever place it claims", () => {
    const tenant = tenantOf(bob);
    const before = tenant.head;
    tenant.revoke(bob);
    const { key, own } = keys(tenant, mallory);
    const backdated = tenant.sign({ type: "operator.add", key }, [bob.signer, ...own], before);
    expect(codeOf(() => tenant.take(backdated))).toBe("signer-revoked");
    expect(codeOf(() => tenant.append({ type: "operator.add", key }, [bob.signer, ...own]))).toBe("signer-revoked");
  });

  test("a bad signature beside a good one refuses the whole entry", () => {
    const tenant = tenantOf(bob);
    const wrong: Signer = { ...bob.signer, sign: ada.signer.sign };
    expect(codeOf(() => tenant.append({ type: "policy.set", policy: DEFAULT_POLICY }, [ada.signer, wrong]))).toBe(
      "signature-bad",
    );
  });

  test("never takes a key a second time, nor the last admin away", () => {
    const tenant = tenantOf(bob, grace);
    tenant.revoke(grace);
    expect(codeOf(() => tenant.add(grace))).toBe("log-key-reused");
    tenant.revoke(bob);
    expect(codeOf(() => tenant.append(revocation(ada), [ada.signer]))).toBe("log-last-admin");
  });

  test("is the same whoever judges it from the beginning", () => {
    const tenant = tenantOf(bob, grace);
    tenant.revoke(grace);
    expect(judgeLog(tenant.log, admitKey)).toEqual(tenant.state);
    expect(codeOf(() => judgeLog([], admitKey))).toBe("log-gap");
  });

  test("has room to revoke and to close when it is full, and for nothing else", () => {
    const tenant = tenantOf(grace);
    const at = (seq: number) => ({ ...tenant.state, head: { seq: seq - 1, id: tenant.head.id } });
    const judged = (seq: number, event: EventFields) =>
      codeOf(() => judgeEvent(at(seq), tenant.sign({ ...event, seq }, [ada.signer]), admitKey));
    expect(judged(9_899, { type: "policy.set", policy: DEFAULT_POLICY })).toBe("accepted");
    expect(judged(9_900, { type: "policy.set", policy: DEFAULT_POLICY })).toBe("log-full");
    expect(judged(9_999, revocation(grace))).toBe("accepted");
    expect(judged(9_999, { type: "tenant.close", reason: "full" })).toBe("accepted");
    expect(judged(10_000, revocation(grace))).toBe("log-full");
  });

  test("takes no sixty-fifth operator", () => {
    const tenant = tenantOf();
    const [first] = tenant.state.operators;
    if (first === undefined) throw new Error("no founder");
    const crowd = Array.from({ length: 64 }, (_, i) => ({ ...first, operator: i === 0 ? first.operator : `${i}` }));
    const { key, own } = keys(tenant, grace);
    const bytes = tenant.sign({ type: "operator.add", key }, [ada.signer, ...own]);
    expect(codeOf(() => judgeEvent({ ...tenant.state, operators: crowd }, bytes, admitKey))).toBe("log-operators-many");
    const less = { ...tenant.state, operators: crowd.slice(0, 63) };
    expect(codeOf(() => judgeEvent(less, bytes, admitKey))).toBe("accepted");
  });
});

test("signatures of several people are made over one payload", () => {
  const tenant = tenantOf(bob);
  expect(codeOf(() => tenant.append({ type: "policy.set", policy: DEFAULT_POLICY }, signersOf([ada, bob])))).toBe(
    "accepted",
  );
});
