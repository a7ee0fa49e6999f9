// Logins to a relay, access grants and checkpoints.
import type { Signer } from "../../protocol/signature.ts";
import { DAY } from "./clock.ts";
import { type Person, person, raw } from "./person.ts";
import { digestOf } from "./random.ts";
import { type Overrides, overridden, signFields } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

export const CHALLENGE = digestOf("a challenge");
export const RELAY = "relay.example:7000";

/** A login by this key, for `CHALLENGE` at `RELAY`; as a device unless `over` says otherwise. */
export function loginOf(tenant: Tenant, signer: Signer, over: Overrides = {}): Uint8Array {
  const fields = {
    tenant: tenant.id,
    role: "device",
    sig: raw(signer),
    relay: RELAY,
    challenge: CHALLENGE,
    time: tenant.clock.now,
  };
  return signFields("relay-login", overridden(fields, over), [signer]);
}

/** A person's client with keys of its own. */
export function clientOf(who: Person): Pick<Person, "signer" | "sealing"> {
  return person(`the client of ${who.name}`);
}

/** A grant by this person for their client, for 180 days unless `over` says otherwise. */
export function grantOf(tenant: Tenant, who: Person, over: Overrides = {}): Uint8Array {
  const { signer, sealing } = clientOf(who);
  const fields = {
    tenant: tenant.id,
    operator: who.operator,
    sig: raw(signer),
    enc: raw(sealing),
    issuedAt: tenant.clock.now,
    notAfter: tenant.clock.now + 180 * DAY,
  };
  return signFields("access-grant", overridden(fields, over), [who.signer]);
}

/** A checkpoint by this person of the head as the tenant has it. */
export function checkpointOf(tenant: Tenant, who: Person, over: Overrides = {}): Uint8Array {
  const fields = { tenant: tenant.id, keyHead: tenant.head, time: tenant.clock.now };
  return signFields("checkpoint", overridden(fields, over), [who.signer]);
}
