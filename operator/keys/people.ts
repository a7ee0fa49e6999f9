// Naming a person of the key log, as one types a name.
import type { KeyLogState, Operator } from "../../protocol/key-state.ts";
import { Fault } from "../fault.ts";

/** The active operator of this name (either case), or whose id begins so. Throws `operator-unknown` or `operator-ambiguous`. */
export function findOperator({ operators }: KeyLogState, typed: string): Operator {
  const named = operators.filter(({ name }) => name.toLowerCase() === typed.toLowerCase());
  const meant =
    named.length > 0 ? named : operators.filter(({ operator }) => typed.length >= 6 && operator.startsWith(typed));
  const [only, another] = meant;
  if (only === undefined) throw new Fault("operator-unknown", typed);
  if (another !== undefined) throw new Fault("operator-ambiguous", `${typed} is ${meant.length} people`);
  return only;
}

/** Names of all active admins, as one says them: `Ada or Grace`. */
export function adminNames({ operators }: KeyLogState): string {
  const names = operators.filter(({ role }) => role === "admin").map(({ name }) => name);
  return names.length === 1 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}
