// What a device says of its binding.
import type { Device } from "./device.ts";
import { digestOf } from "./random.ts";
import { type Overrides, overridden, signFields } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

/** A report of a device that knows all of its tenant's log, and refused a stranger's package. */
export function reportOf(of: Device, tenant: Tenant, over: Overrides = {}): Uint8Array {
  const refused = {
    tenant: digestOf("a stranger's tenant"),
    name: "Mallory Ltd",
    epoch: 1,
    code: "owner-other",
    time: tenant.clock.now,
  };
  const fields = {
    tenant: tenant.id,
    device: of.id,
    keyHead: tenant.head,
    refused,
    agent: "0.1.0",
    time: tenant.clock.now,
  };
  return signFields("binding-report", overridden(fields, over), [of.signer]);
}
