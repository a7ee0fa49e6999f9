// What has happened in a key log, in words and as data: each kind of entry, with whose key it is about and who signed.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Actor, type HistoryEntry, keyHistory } from "../../operator/keys/key-history.ts";
import { historyWords } from "../../operator/keys/history-words.ts";
import { pinOf } from "../../protocol/pin.ts";
import { HOUR } from "../cast/clock.ts";
import { person, raw, renewed } from "../cast/person.ts";
import { digestOf } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";
import { expectDone, OperatorHouse } from "./house.ts";
import { founder, hire } from "./staff.ts";

const ada = person("Ada", "admin");
const grace = person("Grace");
const bob = person("Bob", "admin");

function historyOf(tenant: Tenant): readonly HistoryEntry[] {
  return keyHistory(tenant.entries.map(({ id, bytes, state }) => ({ id, bytes, seq: state.head.seq })));
}

/** The words of the last entry. */
function lastWords(tenant: Tenant): string {
  const entry = historyOf(tenant).at(-1);
  return entry === undefined ? "" : historyWords(entry);
}

function names(actors: readonly Actor[]): readonly string[] {
  return actors.map((actor) => (actor.with === "root-key" ? actor.with : `${actor.name} by ${actor.with}`));
}

/** Ada and Bob are admins, Grace is an operator. */
function company(): Tenant {
  const tenant = new Tenant({ founder: ada });
  tenant.add(grace);
  tenant.add(bob);
  return tenant;
}

describe("the words of an entry", () => {
  test("of the beginning say the organisation, its epoch and in whose place it is", () => {
    expect(lastWords(new Tenant({ founder: ada }))).toBe("Ada founded Acme, epoch 1");
    const before = digestOf("the tenant before");
    const next = new Tenant({ founder: ada, epoch: 2, supersedes: [before] });
    expect(lastWords(next)).toBe(`Ada founded Acme, epoch 2, in the place of ${pinOf(before)}`);
  });

  test("of an approval say who approved whose key, and as what", () => {
    const tenant = new Tenant({ founder: ada });
    tenant.add(grace);
    expect(lastWords(tenant)).toBe("Ada approved Grace's key as operator");
  });

  test("of a new key that an admin approved say that the old one ended", () => {
    const tenant = company();
    const next = renewed(grace);
    const proofs = [next.signer, next.recovery];
    tenant.append({ type: "operator.replace", key: tenant.keyOf(next) }, [ada.signer, ...proofs]);
    expect(lastWords(tenant)).toBe(
      "Ada approved a new key of Grace; the old key ended, jobs that waited under it were cancelled",
    );
  });

  test("of a changed key say what became of queued jobs, and who signed besides its owner", () => {
    const tenant = company();
    const next = renewed(grace);
    const proofs = [next.signer, next.recovery];
    tenant.append({ type: "operator.change", key: tenant.keyOf(next), jobs: "keep" }, [grace.signer, ...proofs]);
    expect(lastWords(tenant)).toBe("Grace changed to a new key; queued jobs kept");
    const later = renewed(next);
    const signers = [next.signer, ada.signer, later.signer, later.recovery];
    tenant.append({ type: "operator.change", key: tenant.keyOf(later), jobs: "cancel" }, signers);
    expect(lastWords(tenant)).toBe("Grace changed to a new key, with the signature of Ada; queued jobs cancelled");
  });

  test("of a recovery say that it was by the recovery file, and how long the key waits", () => {
    const tenant = company();
    tenant.setPolicy({ recoveryDelayMs: 24 * HOUR }, [ada]);
    const next = renewed(bob);
    const signers = [bob.recovery, next.signer, next.recovery];
    tenant.append({ type: "operator.recover", key: tenant.keyOf(next) }, signers);
    expect(lastWords(tenant)).toBe(
      "Bob recovered with the recovery file; the old key ended; the new one signs jobs on a device 24 hours after that heard of it",
    );
    expect(names(historyOf(tenant).at(-1)?.actors ?? [])).toEqual(["Bob by recovery-file"]);
  });

  test("of a recovery file say whether there was one before", () => {
    const tenant = company();
    const other = renewed(grace).recovery;
    tenant.append({ type: "operator.recovery", operator: grace.operator, recovery: raw(other) }, [grace.signer, other]);
    expect(lastWords(tenant)).toBe("Grace made a new recovery file; the one before is dead");
    tenant.append({ type: "operator.recovery", operator: grace.operator }, [grace.signer]);
    expect(lastWords(tenant)).toBe("Grace ended the recovery file");
    const third = renewed(renewed(grace)).recovery;
    tenant.append({ type: "operator.recovery", operator: grace.operator, recovery: raw(third) }, [grace.signer, third]);
    expect(lastWords(tenant)).toBe("Grace made a recovery file");
  });

  test("of a revocation say why, and what became of queued jobs", () => {
    const tenant = company();
    tenant.revoke(bob, [ada]);
    expect(lastWords(tenant)).toBe("Ada revoked Bob's key (left); queued jobs cancelled");
    tenant.revoke(grace, [grace], "keep");
    expect(lastWords(tenant)).toBe("Grace revoked their own key (left); queued jobs kept");
  });

  test("of a role say the one before", () => {
    const tenant = company();
    tenant.append({ type: "operator.role", operator: grace.operator, role: "admin" }, [ada.signer]);
    expect(lastWords(tenant)).toBe("Ada made Grace an admin, an operator until then");
  });

  test("of a policy say what is other than in the one before", () => {
    const tenant = company();
    tenant.setPolicy({ jobThresholds: [{ kind: "any", class: "critical", count: 2 }] }, [ada]);
    expect(lastWords(tenant)).toBe("Ada set the policy: signers: 1 for critical -> 2 for critical (stricter)");
    tenant.setPolicy({ prompt: "day" }, [ada, bob]);
    expect(lastWords(tenant)).toBe(
      "Ada and Bob set the policy: prompt: once in 168 hours -> once in 24 hours (stricter)",
    );
  });

  test("of the end and of root keys say that it was they who signed", () => {
    const roots = [person("Root 1").signer, person("Root 2").signer];
    const tenant = new Tenant({ founder: ada, roots, rootThreshold: 2 });
    tenant.append({ type: "root.set", root: { keys: [], threshold: 0 } }, roots);
    expect(lastWords(tenant)).toBe("2 root keys ended the root keys");
    tenant.append({ type: "tenant.close", reason: "moved" }, [ada.signer]);
    expect(lastWords(tenant)).toBe("Ada closed the organisation for good (moved)");
  });
});

describe("keybound history", () => {
  let house: OperatorHouse;

  beforeAll(async () => {
    house = await OperatorHouse.open();
    expectDone(await house.init());
    await hire(house, await founder(house), { name: "Grace", role: "operator" });
    expectDone(await house.unlocked(["key", "revoke", "Grace", "--reason", "left", "--yes", "--no-wait"]));
  }, 60_000);

  afterAll(() => house[Symbol.asyncDispose]());

  test("lists every entry with owner, actor and words", async () => {
    const { stdout } = expectDone(await house.run(["history"]));
    expect(stdout.split("\n").map((line) => line.replace(/\S+ \S+Z/, "TIME").replace(/ {2,}/g, " | "))).toEqual([
      "ENTRY | TIME | OWNER | ACTOR | WHAT",
      "0 | TIME | Ada | Ada | Ada founded Acme, epoch 1",
      "1 | TIME | Grace | Ada | Ada approved Grace's key as operator",
      "2 | TIME | Grace | Ada | Ada revoked Grace's key (left); queued jobs cancelled",
      "",
    ]);
  });

  test("has the same as JSON", async () => {
    const { stdout } = expectDone(await house.run(["history", "--json"]));
    const entries: readonly unknown[] = JSON.parse(stdout);
    expect(entries.at(-1)).toEqual({
      seq: 2,
      id: expect.stringMatching(/^[\w-]{43}$/),
      time: expect.any(Number),
      type: "operator.revoke",
      owner: { operator: expect.any(String), name: "Grace" },
      actors: [{ with: "key", operator: expect.any(String), name: "Ada" }],
      reason: "left",
      words: "Ada revoked Grace's key (left); queued jobs cancelled",
    });
  });

  test("shows what is known where the relay does not answer, and says so", async () => {
    await house.relay.close();
    const { code, stdout, stderr } = await house.run(["history"]);
    expect([code, stderr]).toEqual([0, "the relay does not answer: this is what was known here before\n"]);
    expect(stdout).toContain("Ada founded Acme");
  });
});
