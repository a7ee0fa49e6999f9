// Deployment package files: a tenant's log to some place, and a deployment signed there.
import { writePackage } from "../../protocol/deployment.ts";
import type { Signer } from "../../protocol/signature.ts";
import { DAY } from "./clock.ts";
import { type Overrides, overridden, signFields } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

export type PackageSetup = {
  /** Who signs; the founder unless said. */
  readonly signers?: readonly Signer[];
  /** The last place of the key log inside; the head unless said. */
  readonly anchor?: number;
  readonly token?: { readonly token: string; readonly secret: Uint8Array };
  /** Over the deployment's own fields. */
  readonly deployment?: Overrides;
};

/** The deployment's envelope alone. */
export function deploymentOf(tenant: Tenant, setup: PackageSetup = {}): Uint8Array {
  const state = tenant.stateAt(setup.anchor ?? tenant.head.seq);
  const fields = {
    tenant: tenant.id,
    epoch: state.epoch,
    anchor: state.head,
    relays: ["ws://relay.example:7000"],
    token: setup.token?.token,
    class: "standard",
    groups: [],
    issuedAt: tenant.clock.now,
    notAfter: tenant.clock.now + 90 * DAY,
  };
  return signFields("deployment", overridden(fields, setup.deployment), setup.signers ?? [tenant.founder.signer]);
}

/** The bytes of a package file. */
export function packageOf(tenant: Tenant, setup: PackageSetup = {}): Uint8Array {
  return writePackage({
    deployment: deploymentOf(tenant, setup),
    keyLog: tenant.log.slice(0, (setup.anchor ?? tenant.head.seq) + 1),
    tokenSecret: setup.token?.secret,
  });
}
