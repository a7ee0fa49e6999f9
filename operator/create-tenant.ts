// Making an organisation: its first entry, signed by the first operator's new key, handed to a relay for a claim code.
import type { Random } from "../protocol/seal.ts";
import { toBase64url } from "../protocol/bytes.ts";
import { signPayload } from "../protocol/envelope.ts";
import type { GenesisEvent } from "../protocol/key-event.ts";
import { DEFAULT_KEY_LIFETIME_MS } from "../protocol/limits.ts";
import { deriveOperatorKeys, type OperatorKeys, SETUP_SECRET_BYTES } from "../protocol/passphrase.ts";
import { DEFAULT_POLICY } from "../protocol/policy.ts";
import { encodeStrict } from "../protocol/strict-json.ts";
import { Fault } from "./fault.ts";
import type { RelayClient } from "./relay-client.ts";
import type { KeyMode } from "./strength.ts";

export type Founder = {
  readonly operator: string;
  readonly setupSecret: Uint8Array | undefined;
  readonly keys: OperatorKeys;
};

/** A new operator with a key derived from this passphrase; in mode `setup` with a fresh setup secret. */
export async function makeFounder(
  passphrase: string,
  { mode, random }: { mode: KeyMode; random: Random },
): Promise<Founder> {
  const operator = toBase64url(random(16));
  const setupSecret = mode === "setup" ? random(SETUP_SECRET_BYTES) : undefined;
  return {
    operator,
    setupSecret,
    keys: await deriveOperatorKeys(passphrase, { operator, generation: 0, setupSecret }),
  };
}

/** The first entry of a key log: one admin, no recovery key and no root keys yet, the default policy. */
export function signGenesis(
  { operator, setupSecret, keys }: Founder,
  { organisation, name, now, random }: { organisation: string; name: string; now: number; random: Random },
): Uint8Array {
  const genesis: GenesisEvent = {
    type: "genesis",
    seq: 0,
    time: now,
    name: organisation,
    epoch: 1,
    nonce: toBase64url(random(16)),
    supersedes: [],
    key: {
      operator,
      name,
      role: "admin",
      sig: toBase64url(keys.signer.publicKey),
      enc: toBase64url(keys.sealing.publicKey),
      mode: setupSecret === undefined ? "passphrase" : "setup",
      notAfter: now + DEFAULT_KEY_LIFETIME_MS,
    },
    root: { keys: [], threshold: 0 },
    policy: DEFAULT_POLICY,
  };
  return signPayload("key-event", encodeStrict(genesis), [keys.signer]);
}

/**
 * Has the relay make the tenant over a connection just dialled. Throws `claim-refused` or another refusal where the
 * relay said no; after `relay-unreachable` the tenant may be there, because the answer may have been lost.
 */
export async function createTenant(
  client: RelayClient,
  { claim, genesis }: { readonly claim: string; readonly genesis: Uint8Array },
): Promise<void> {
  await client.ask("ok", { type: "create-tenant", claim }, [genesis]);
}

/** Whether a failed `createTenant` says for certain that no tenant was made. */
export function wasRefused(error: unknown): boolean {
  return !(error instanceof Fault && error.code === "relay-unreachable");
}
