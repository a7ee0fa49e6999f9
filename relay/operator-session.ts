// An operator's client that has logged in.
import { refuse } from "../protocol/refusal.ts";
import type { Connection } from "./connection.ts";
import type { Tenant } from "./tenant.ts";

export type OperatorSession = {
  readonly connection: Connection;
  readonly tenant: Tenant;
  /** Thumbprint of the operator's signature key; the session ends with it. */
  readonly operatorKey: string;
  /** When a client's access ends; absent where the operator's own key logged in. */
  readonly endsAt: number | undefined;
  readonly watched: Set<string>;
  /** Of these, jobs whose live output it takes. */
  readonly live: Set<string>;
};

/** Throws `signer-role` unless the client is an admin's, as the log has it now. */
export function checkAdmin({ tenant, operatorKey }: OperatorSession): void {
  const operator = tenant.state.operators.find(({ key }) => key === operatorKey);
  if (operator?.role !== "admin") throw refuse("signer-role", "only an admin decides about requests for keys");
}
