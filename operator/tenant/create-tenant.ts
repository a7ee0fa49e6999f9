// Making an organisation: its first entry, signed by the first operator's new key, handed to a relay for a claim code.
import { toBase64url } from "../../protocol/bytes.ts";
import { signPayload } from "../../protocol/envelope.ts";
import type { GenesisEvent } from "../../protocol/key-event.ts";
import { SETUP_SECRET_BYTES } from "../../protocol/passphrase.ts";
import { DEFAULT_POLICY } from "../../protocol/policy.ts";
import type { Random } from "../../protocol/seal.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import type { RelayClient } from "../connection/relay-client.ts";
import { Fault } from "../fault.ts";
import { entryOf, type MadeKey, makeKey, recoveryField } from "../keys/new-key.ts";
import type { RecoveryKey } from "../keys/recovery-file.ts";
import type { KeyMode } from "../passphrase/strength.ts";

/** A new operator with a key derived from this passphrase; in mode `setup` with a fresh setup secret. */
export async function makeFounder(
  passphrase: string,
  { mode, random }: { mode: KeyMode; random: Random },
): Promise<MadeKey> {
  const operator = toBase64url(random(16));
  const setupSecret = mode === "setup" ? random(SETUP_SECRET_BYTES) : undefined;
  return makeKey(passphrase, { operator, generation: 0, setupSecret });
}

export type Founding = {
  readonly organisation: string;
  readonly name: string;
  readonly now: number;
  readonly random: Random;
  readonly recovery: RecoveryKey | undefined;
  /** 1 but for a reset, which also names every tenant before. */
  readonly epoch: number;
  readonly supersedes: readonly string[];
};

/** The first entry of a key log: one admin, their recovery key, no root keys, the default policy. */
export function signGenesis(founder: MadeKey, founding: Founding): Uint8Array {
  const { organisation, name, now, random, recovery, epoch, supersedes } = founding;
  const genesis: GenesisEvent = {
    type: "genesis",
    seq: 0,
    time: now,
    name: organisation,
    epoch,
    nonce: toBase64url(random(16)),
    supersedes: [...supersedes],
    key: entryOf(founder, { name, role: "admin", now, recovery: recoveryField(recovery) }),
    root: { keys: [], threshold: 0 },
    policy: DEFAULT_POLICY,
  };
  const own = recovery === undefined ? [] : [recovery.signer];
  return signPayload("key-event", encodeStrict(genesis), [founder.keys.signer, ...own]);
}

/**
 * Has the relay make the tenant over a connection just dialled. Throws `claim-refused` or another refusal where the
 * relay said no; after `relay-unreachable` the tenant may be there, because the answer may have been lost.
 */
export async function createTenant(
  client: RelayClient,
  { claim, genesis, retires }: { readonly claim: string; readonly genesis: Uint8Array; readonly retires?: string },
): Promise<void> {
  const header = { type: "create-tenant", claim, ...(retires === undefined ? {} : { retires }) };
  await client.ask("ok", header, [genesis]);
}

/** Whether a failed `createTenant` says for certain that no tenant was made. */
export function wasRefused(error: unknown): boolean {
  return !(error instanceof Fault && error.code === "relay-unreachable");
}
