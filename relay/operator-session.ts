// An operator's client that has logged in.
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
};
