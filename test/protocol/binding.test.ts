// May this package take this device? Every row of the rules of binding, in the order in which they decide.
import { describe, expect, test } from "vitest";
import { type BoundOwner, type Consent, decideBinding, newTombstones } from "../../protocol/binding.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { pinOf, readPin } from "../../protocol/pin.ts";
import { Clock, DAY, HOUR } from "../cast/clock.ts";
import { type PackageSetup, packageOf } from "../cast/package.ts";
import { person, renewed } from "../cast/person.ts";
import { Tenant, type TenantSetup } from "../cast/tenant.ts";
import { codeOf } from "./refused.ts";

const bob = person("Bob", "admin");
const NONE: Consent = { trust: undefined, rebind: false, confirmed: false };

type Offer = {
  readonly tenant: Tenant;
  readonly setup?: PackageSetup;
  readonly owner?: BoundOwner;
  readonly left?: BoundOwner;
  readonly consent?: Partial<Consent>;
  readonly tombstones?: readonly string[];
};

function decide({ tenant, setup = {}, owner, left, consent, tombstones = [] }: Offer) {
  return decideBinding({
    offered: readPackage(packageOf(tenant, setup), admitKey),
    bound: owner,
    left,
    tombstones: new Set(tombstones),
    consent: { ...NONE, ...consent },
    now: tenant.clock.now,
  });
}

const outcome = (offer: Offer) => {
  let type = "";
  const code = codeOf(() => {
    type = decide(offer).type;
  });
  return code === "accepted" ? type : code;
};

function ownerOf(tenant: Tenant, deployedAt = tenant.clock.now): BoundOwner {
  return { keyLog: tenant.view, deployedAt };
}

const organisation = (setup: TenantSetup = {}) => new Tenant({ name: "Acme", ...setup });

describe("an unbound device", () => {
  test("takes the owner of a package, with its pin or without", () => {
    const tenant = organisation();
    expect(outcome({ tenant })).toBe("bind");
    expect(outcome({ tenant, consent: { trust: pinOf(tenant.id) } })).toBe("bind");
    expect(outcome({ tenant, consent: { trust: pinOf(tenant.id).toLowerCase().replaceAll("-", "") } })).toBe("bind");
  });

  test("refuses a package that the pin does not name, whatever else is said", () => {
    const tenant = organisation();
    const other = pinOf(new Tenant({ name: "Other" }).id);
    const consent = { rebind: true, confirmed: true };
    expect(outcome({ tenant, consent: { ...consent, trust: other } })).toBe("package-trust");
    expect(outcome({ tenant, consent: { ...consent, trust: "no pin" } })).toBe("package-trust");
  });

  test("refuses a package that has ended, one of a closed tenant, and one of a tenant it has left", () => {
    const tenant = organisation();
    const setup = { deployment: { notAfter: tenant.clock.now + HOUR } };
    expect(outcome({ tenant, setup })).toBe("bind");
    expect(outcome({ tenant, setup: { deployment: { notAfter: tenant.clock.now } } })).toBe("package-expired");
    expect(outcome({ tenant, tombstones: [tenant.id], consent: { trust: pinOf(tenant.id), rebind: true } })).toBe(
      "tenant-retired",
    );
    tenant.append({ type: "tenant.close", reason: "merged" }, [tenant.founder.signer]);
    expect(outcome({ tenant })).toBe("tenant-closed");
  });
});

describe("a device whose agent was uninstalled", () => {
  test("takes its owner's package again, and not one that would take it back", () => {
    const tenant = organisation();
    const leaver = person("Leaver", "admin");
    tenant.add(leaver);
    const anchor = tenant.head.seq;
    expect(outcome({ tenant, left: ownerOf(tenant) })).toBe("bind");
    expect(outcome({ tenant, setup: { anchor: 0 }, left: ownerOf(tenant) })).toBe("bind");
    tenant.revoke(leaver);
    expect(outcome({ tenant, setup: { anchor, signers: [leaver.signer] }, left: ownerOf(tenant) })).toBe(
      "signer-revoked",
    );
    const before = tenant.head.seq;
    tenant.append({ type: "tenant.close", reason: "merged" }, [tenant.founder.signer]);
    expect(outcome({ tenant, setup: { anchor: before }, left: ownerOf(tenant) })).toBe("tenant-closed");
  });
});

describe("a device of the same owner", () => {
  test("keeps what it has, takes newer relays, takes later key events, and nothing older", () => {
    const tenant = organisation();
    const owner = ownerOf(tenant);
    expect(decide({ tenant, owner })).toEqual({ type: "keep" });
    tenant.clock.turn(HOUR);
    expect(decide({ tenant, owner })).toEqual({ type: "update", relays: true });
    tenant.add(bob);
    expect(decide({ tenant, owner: { ...owner, deployedAt: tenant.clock.now } })).toEqual({
      type: "update",
      relays: false,
    });
    expect(decide({ tenant, setup: { anchor: 0 }, owner: ownerOf(tenant) })).toEqual({ type: "keep" });
  });

  test("refuses another line of its key log", () => {
    const mine = organisation();
    const theirs = organisation();
    mine.setPolicy({ prompt: "day" });
    theirs.setPolicy({ prompt: "task" });
    expect(outcome({ tenant: theirs, owner: ownerOf(mine) })).toBe("log-fork");
  });

  test("refuses relays by somebody who was revoked or replaced since, and takes them after an own change of key", () => {
    const tenant = organisation();
    tenant.add(bob);
    const anchor = tenant.head.seq;
    const setup = { anchor, signers: [bob.signer], deployment: { issuedAt: tenant.clock.now + HOUR } };
    expect(outcome({ tenant, setup, owner: ownerOf(tenant) })).toBe("update");
    const next = renewed(bob);
    const proofs = [next.signer, next.recovery];
    const changed = organisation();
    changed.add(bob);
    changed.append({ type: "operator.change", key: changed.keyOf(next), jobs: "keep" }, [bob.signer, ...proofs]);
    expect(outcome({ tenant: changed, setup, owner: ownerOf(changed) })).toBe("update");
    tenant.append({ type: "operator.replace", key: tenant.keyOf(next) }, [tenant.founder.signer, ...proofs]);
    expect(outcome({ tenant, setup, owner: ownerOf(tenant) })).toBe("signer-revoked");
    tenant.revoke(next);
    expect(outcome({ tenant, setup, owner: ownerOf(tenant) })).toBe("signer-revoked");
  });
});

describe("a device of an earlier epoch", () => {
  const first = organisation();
  const second = organisation({ epoch: 2, supersedes: [first.id] });
  const owner = ownerOf(first);

  test("takes the next epoch with its pin or a local yes, and not on the package's word alone", () => {
    expect(outcome({ tenant: second, owner })).toBe("trust-needed");
    expect(outcome({ tenant: second, owner, consent: { trust: pinOf(second.id) } })).toBe("rebind");
    expect(outcome({ tenant: second, owner, consent: { confirmed: true } })).toBe("rebind");
    expect(outcome({ tenant: second, owner, consent: { rebind: true } })).toBe("trust-needed");
  });

  test("skips an epoch that it never saw", () => {
    const third = organisation({ epoch: 3, supersedes: [first.id, second.id] });
    expect(outcome({ tenant: third, owner, consent: { trust: pinOf(third.id) } })).toBe("rebind");
  });

  test("leaves tombstones behind: the owner before, and all that the new one replaces", () => {
    const offered = readPackage(packageOf(second), admitKey);
    expect(newTombstones(offered, owner)).toEqual([first.id]);
    expect(newTombstones(offered, undefined)).toEqual([first.id]);
    expect(newTombstones(readPackage(packageOf(first), admitKey), owner)).toEqual([]);
  });

  test("never goes back, whatever the administrator says", () => {
    const consent = { trust: pinOf(first.id), rebind: true, confirmed: true };
    expect(outcome({ tenant: first, owner: ownerOf(second), tombstones: [first.id], consent })).toBe("tenant-retired");
    const sibling = organisation({ name: "Acme again", epoch: 2, supersedes: [first.id] });
    const yes = { trust: pinOf(sibling.id), rebind: true };
    expect(outcome({ tenant: sibling, owner: ownerOf(second), consent: yes })).toBe("epoch-older");
  });
});

describe("a device of another organisation", () => {
  const mine = organisation();
  const theirs = new Tenant({ name: "Other", clock: new Clock() });
  const owner = ownerOf(mine);

  test("changes its owner only by --rebind together with the pin or a local yes", () => {
    expect(outcome({ tenant: theirs, owner })).toBe("owner-other");
    expect(outcome({ tenant: theirs, owner, consent: { trust: pinOf(theirs.id) } })).toBe("owner-other");
    expect(outcome({ tenant: theirs, owner, consent: { confirmed: true } })).toBe("owner-other");
    expect(outcome({ tenant: theirs, owner, consent: { rebind: true } })).toBe("trust-needed");
    expect(outcome({ tenant: theirs, owner, consent: { rebind: true, confirmed: true } })).toBe("rebind");
    expect(outcome({ tenant: theirs, owner, consent: { rebind: true, trust: pinOf(theirs.id) } })).toBe("rebind");
  });
});

const signed = (setup: PackageSetup) => () => readPackage(packageOf(organisation(), setup), admitKey);

describe("a package", () => {
  test("is whole, or no package", () => {
    const bytes = packageOf(organisation());
    expect(codeOf(() => readPackage(bytes.subarray(0, -3), admitKey))).toBe("package-form");
    expect(codeOf(() => readPackage(new Uint8Array(0), admitKey))).toBe("package-form");
  });

  test("was signed at the end of the log that it carries, by somebody who was active there", () => {
    const tenant = organisation();
    tenant.add(bob);
    const atHead = { deployment: { anchor: tenant.stateAt(0).head } };
    expect(codeOf(() => readPackage(packageOf(tenant, atHead), admitKey))).toBe("package-anchor");
    expect(codeOf(() => readPackage(packageOf(tenant, { deployment: { epoch: 2 } }), admitKey))).toBe("package-anchor");
    expect(codeOf(() => readPackage(packageOf(tenant, { anchor: 0, signers: [bob.signer] }), admitKey))).toBe(
      "signer-unknown",
    );
    const hugo = person("Hugo", "auditor");
    tenant.add(hugo);
    expect(codeOf(() => readPackage(packageOf(tenant, { signers: [hugo.signer] }), admitKey))).toBe("signer-role");
  });

  test("lives 400 days at most", () => {
    const issuedAt = organisation().clock.now;
    const until = (notAfter: number) => signed({ deployment: { notAfter, issuedAt } });
    expect(codeOf(until(issuedAt + 400 * DAY))).toBe("accepted");
    expect(codeOf(until(issuedAt + 400 * DAY + 1))).toBe("field-invalid");
  });
});

test("a pin is read in any case, with or without dashes, and names its tenant alone", () => {
  const { id } = organisation();
  expect(readPin(pinOf(id).toLowerCase())).toBe(pinOf(id));
  expect(readPin(pinOf(id).slice(0, -1))).toBeUndefined();
  expect(pinOf(id)).toMatch(/^([0-9A-Z]{5}-){4}[0-9A-Z]{5}$/);
});
