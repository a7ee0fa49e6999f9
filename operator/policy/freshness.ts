// What the freshness rule guarantees in this organisation as it is (SPEC 4.5): for how long a revocation that is withheld from a device
// can work there, and when devices will refuse jobs because nobody has vouched for the key log.
import { lastWord } from "../../protocol/checkpoint.ts";
import { isRevokedByFork, type KeyLogState, type Operator } from "../../protocol/key-state.ts";
import type { Policy } from "../../protocol/policy.ts";
import { jobSigners } from "../cosign/job-signers.ts";
import type { Vouch } from "../home/cache.ts";

/** Devices refuse what this operator alone signs from the time `from` on. */
export type JobsStop = { readonly operator: string; readonly name: string; readonly from: number };

export type VouchRow = {
  readonly operator: string;
  readonly name: string;
  /** By a checkpoint, or by the entry that made their key active. */
  readonly lastWord: number;
  /** Of the newest checkpoint; absent where this home has seen none. */
  readonly vouchedAt?: number;
  readonly keyLog?: number;
};

export type Freshness = Policy["freshness"] & {
  /** A withheld revocation works on a device for this long at the most; absent where nothing bounds it. */
  readonly boundMs?: number;
  readonly vouches: readonly VouchRow[];
  /** For each operator whose jobs will stop unless a colleague vouches; none where that cannot happen. */
  readonly stops: readonly JobsStop[];
};

type Seen = { readonly newest: ReadonlyMap<string, Vouch>; readonly now: number };

export function freshnessOf(state: KeyLogState, { newest, now }: Seen): Freshness {
  const { freshness } = state.policy;
  const able = vouchers(state);
  const isBounded = freshness.mode === "other" && able.length > 1;
  return {
    ...freshness,
    ...(isBounded ? { boundMs: freshness.maxAgeMs } : {}),
    vouches: able.map((operator) => vouchRow(operator, newest)),
    stops: isBounded ? jobSigners(state, now).map((signer) => stopOf(signer, { state, newest })) : [],
  };
}

/** Whoever a device counts: not auditors, nor keys that a fork revokes. */
function vouchers(state: KeyLogState): readonly Operator[] {
  return state.operators.filter(({ role, key }) => role !== "auditor" && !isRevokedByFork(state, key));
}

function vouchRow(one: Operator, newest: Seen["newest"]): VouchRow {
  const { operator, name } = one;
  const vouch = newest.get(operator);
  const seen = vouch === undefined ? {} : { vouchedAt: vouch.time, keyLog: vouch.keyHead.seq };
  return { operator, name, lastWord: lastWordOf(one, newest), ...seen };
}

function stopOf(
  { operator, name }: Operator,
  { state, newest }: { readonly state: KeyLogState; readonly newest: Seen["newest"] },
): JobsStop {
  const others = vouchers(state).filter((other) => other.operator !== operator);
  const last = Math.max(...others.map((other) => lastWordOf(other, newest)));
  return { operator, name, from: last + state.policy.freshness.maxAgeMs };
}

function lastWordOf(one: Operator, newest: Seen["newest"]): number {
  return lastWord(one, new Map([...newest].map(([id, { time }]) => [id, time])));
}
