// A new signature key, before anybody has approved it: derived from a passphrase, with what a log entry says of it.
import { toBase64url } from "../../protocol/bytes.ts";
import type { NewKey, Role } from "../../protocol/key-event.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { DEFAULT_KEY_LIFETIME_MS } from "../../protocol/limits.ts";
import { keysOf, type OperatorKeys, stretchPassphrase } from "../../protocol/passphrase.ts";
import type { RecoveryKey } from "./recovery-file.ts";

export type KeyOwner = {
  readonly operator: string;
  readonly generation: number;
  /** Absent in passphrase-only mode. */
  readonly setupSecret: Uint8Array | undefined;
};

export type MadeKey = KeyOwner & {
  readonly keys: OperatorKeys;
  /** The key of another generation by the same passphrase, at once. */
  readonly again: (generation: number) => MadeKey;
};

/** Derives a key of this owner; about a second. */
export async function makeKey(passphrase: string, owner: KeyOwner): Promise<MadeKey> {
  const { operator, generation, setupSecret } = owner;
  const origin = setupSecret === undefined ? { setupSecret, operator } : { setupSecret };
  const stretched = await stretchPassphrase(passphrase, origin);
  const made = (of: number): MadeKey => ({
    operator,
    generation: of,
    setupSecret,
    keys: keysOf(stretched, { operator, generation: of }),
    again: made,
  });
  return made(generation);
}

/** The generation of an operator's next key: how many the log has had of theirs. */
export function nextGeneration({ terms }: KeyLogState, operator: string): number {
  return new Set(terms.filter((term) => term.operator === operator).map(({ key }) => key)).size;
}

/** What a key log's entry says of a key, good for the usual lifetime from now. */
export function entryOf(
  { operator, setupSecret, keys }: MadeKey,
  {
    name,
    role,
    now,
    recovery,
  }: { readonly name: string; readonly role: Role; readonly now: number; readonly recovery?: string | undefined },
): NewKey {
  return {
    operator,
    name,
    role,
    sig: toBase64url(keys.signer.publicKey),
    enc: toBase64url(keys.sealing.publicKey),
    ...(recovery === undefined ? {} : { recovery }),
    mode: setupSecret === undefined ? "passphrase" : "setup",
    notAfter: now + DEFAULT_KEY_LIFETIME_MS,
  };
}

/** A recovery key as an entry spells it. */
export function recoveryField(recovery: RecoveryKey | undefined): string | undefined {
  return recovery === undefined ? undefined : toBase64url(recovery.signer.publicKey);
}
