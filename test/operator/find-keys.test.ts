// From a stretched passphrase to the key that the log has, whatever its generation.
import { expect, test } from "vitest";
import { keysOf, type Stretched } from "../../protocol/passphrase.ts";
import { findKeys } from "../../operator/unlock/find-keys.ts";
import { type Person, person } from "../cast/person.ts";
import { seeded } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";

const stretched: Stretched = { secret: seeded("stretched")(48) };

/** Ada, with the key of this generation. */
function ada(generation: number): Person {
  const made = person("Ada", "admin", generation);
  return { ...made, ...keysOf(stretched, { operator: made.operator, generation }) };
}

test.each([0, 1, 4])("a first key of generation %i is found", (generation) => {
  const founder = ada(generation);
  const keys = findKeys(new Tenant({ founder }).state, founder.operator, stretched);
  expect(keys?.signer.key).toBe(founder.signer.key);
});

test("the seeds that come with it are the key's", () => {
  const founder = ada(2);
  const keys = findKeys(new Tenant({ founder }).state, founder.operator, stretched);
  expect(keys?.seeds.sealing).toEqual(keys?.sealing.privateKey);
});

test("another passphrase leads to no key", () => {
  const founder = ada(0);
  const other = { secret: seeded("other")(48) };
  expect(findKeys(new Tenant({ founder }).state, founder.operator, other)).toBeUndefined();
});

test("the passphrase of a key that was changed leads to no key", () => {
  const tenant = new Tenant({ founder: ada(0) });
  const next = person("Ada", "admin", 1);
  const change = { type: "operator.change", key: tenant.keyOf(next), jobs: "keep" } as const;
  tenant.append(change, [tenant.founder.signer, next.signer, next.recovery]);
  expect(findKeys(tenant.state, tenant.founder.operator, stretched)).toBeUndefined();
});

test("somebody who is not in the log has no key", () => {
  expect(findKeys(new Tenant().state, person("Eve").operator, stretched)).toBeUndefined();
});
