// The package that this device refused last while it had an owner: kept for the owner to hear of, and for whoever looks here.
import type { RefusedPackage } from "../../protocol/binding-report.ts";
import { numberOf, textOf } from "../state/row.ts";
import type { State } from "../state/state.ts";

/** Takes the place of the one before, inside the caller's transaction. */
export function keepRefusedPackage(state: State, { tenant, name, epoch, code, time }: RefusedPackage): void {
  const sql = "INSERT OR REPLACE INTO refused_package (one, tenant, name, epoch, code, time) VALUES (1, ?, ?, ?, ?, ?)";
  state.run(sql, tenant, name, epoch, code, time);
}

export function refusedPackage(state: State): RefusedPackage | undefined {
  const row = state.get("SELECT tenant, name, epoch, code, time FROM refused_package");
  if (row === undefined) return undefined;
  return {
    tenant: textOf(row, "tenant"),
    name: textOf(row, "name"),
    epoch: numberOf(row, "epoch"),
    code: textOf(row, "code"),
    time: numberOf(row, "time"),
  };
}

/** What was offered to one owner's device is no matter of the next. Inside the caller's transaction. */
export function forgetRefusedPackage(state: State): void {
  state.run("DELETE FROM refused_package");
}
