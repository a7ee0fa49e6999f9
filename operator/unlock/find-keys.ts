// The keys that a stretched passphrase leads to, if they are the operator's active ones.
import type { KeyLogState } from "../../protocol/key-state.ts";
import {
  keysOfSeeds,
  type OperatorKeys,
  type OperatorSeeds,
  seedsOf,
  type Stretched,
} from "../../protocol/passphrase.ts";

/** Requests for a key that overlap, or were never approved, leave generations that the log does not count. */
const UNCOUNTED_GENERATIONS = 3;

export type FoundKeys = OperatorKeys & { readonly seeds: OperatorSeeds };

/**
 * The keys of the operator's active key in this state; `undefined` where the passphrase leads to none of the generations
 * that it may have, or the operator has no active key.
 */
export function findKeys(state: KeyLogState, operator: string, stretched: Stretched): FoundKeys | undefined {
  const active = state.operators.find((one) => one.operator === operator)?.key;
  if (active === undefined) return undefined;
  const counted = new Set(state.terms.filter((term) => term.operator === operator).map(({ key }) => key)).size;
  for (let generation = counted + UNCOUNTED_GENERATIONS; generation >= 0; generation--) {
    const seeds = seedsOf(stretched, { operator, generation });
    const keys = keysOfSeeds(seeds);
    if (keys.signer.key === active) return { ...keys, seeds };
  }
  return undefined;
}
