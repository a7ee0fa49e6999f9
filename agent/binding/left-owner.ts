// What is kept of an owner whose agent was uninstalled here: how far its key log went and the floor under the clock, and no key.
// By it an old package of the same tenant, bound later, does not take the device back behind a revocation.
import { numberOf, textOf } from "../state/row.ts";
import type { State } from "../state/state.ts";
import { keyStateOf, type Owner } from "./owner.ts";

export type LeftOwner = Pick<Owner, "keyState" | "deployedAt" | "floor">;

/** Puts the owner's row away, inside the caller's transaction. The entries of its log stay where they are. */
export function keepLeftOwner(state: State): void {
  state.run(
    `INSERT INTO left_owner (one, tenant, key_state, deployed_at, floor)
       SELECT 1, tenant, key_state, deployed_at, floor FROM owner`,
  );
  state.run("DELETE FROM owner");
}

/** What is kept of this tenant, if it is the one that was left. */
export function readLeftOwner(state: State, tenant: string): LeftOwner | undefined {
  const row = state.get("SELECT * FROM left_owner WHERE tenant = ?", tenant);
  if (row === undefined) return undefined;
  return {
    keyState: keyStateOf(textOf(row, "key_state")),
    deployedAt: numberOf(row, "deployed_at"),
    floor: numberOf(row, "floor"),
  };
}

/** The device has an owner again, inside the caller's transaction: only this tenant goes on with the log that is here. */
export function forgetLeftOwner(state: State, next: string): void {
  if (state.get("SELECT 1 FROM left_owner WHERE tenant <> ?", next) !== undefined) state.run("DELETE FROM key_entry");
  state.run("DELETE FROM left_owner");
}
