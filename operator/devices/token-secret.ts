// Secrets of enrolment tokens: sealed to every operator and to the client that made the token, and sealed on to whoever came
// since. So a change of keys leaves no package behind whose devices nobody can admit at once.
import { fromBase64url, toBase64url } from "../../protocol/bytes.ts";
import { type KeyLogState, keyBytes } from "../../protocol/key-state.ts";
import type { RosterToken } from "../../protocol/roster.ts";
import { type Random, type SealingPair, unwrapKey, wrapKey } from "../../protocol/seal.ts";
import { thumbprint } from "../../protocol/signature.ts";
import type { Session } from "../connection/session.ts";
import type { Keyring } from "../unlock/keyring.ts";
import type { RosterChange } from "./append-roster.ts";

/** Who opens a token's secret: the operator's key, or this client's own, which stays when the operator's is replaced. */
export type TokenReader = { readonly keys: Keyring; readonly access: SealingPair };

type Wraps = RosterToken["wraps"];

/** The secret of a token; `undefined` where it was sealed to neither. The wrap's use names the token's id where a job's names its statement. */
export async function tokenSecret(
  { token, wraps }: RosterToken,
  { keys, access }: TokenReader,
): Promise<Uint8Array | undefined> {
  const use = { purpose: "token", statement: token } as const;
  const own = wrapTo(wraps, keys.sealingKey);
  if (own !== undefined) return await keys.unwrap(own, use);
  const client = wrapTo(wraps, access.publicKey);
  return client && unwrapKey(client, { pair: access, use });
}

function wrapTo(wraps: Wraps, publicKey: Uint8Array): Uint8Array | undefined {
  const to = thumbprint(publicKey, "X25519");
  const own = wraps.find((wrap) => wrap.to === to);
  return own === undefined ? undefined : fromBase64url(own.wrap);
}

/** A token's secret sealed to each of these raw X25519 keys. */
export function sealToken(
  secret: Uint8Array,
  { token, to, random }: { readonly token: string; readonly to: readonly Uint8Array[]; readonly random: Random },
): { to: string; wrap: string }[] {
  return to.map((recipient) => {
    const wrap = wrapKey(secret, { recipient, use: { purpose: "token", statement: token }, random });
    return { to: thumbprint(recipient, "X25519"), wrap: toBase64url(wrap) };
  });
}

/** Everybody who admits devices, and this client. */
export function tokenReaders(state: KeyLogState, access: SealingPair): readonly Uint8Array[] {
  const able = state.operators.filter(({ role }) => role !== "auditor");
  return [...able.map(({ enc }) => keyBytes(enc)), access.publicKey];
}

/** Entries that seal these tokens to operators whose keys came after them, as far as we can open them. */
export async function rewrapChanges(
  { desk, state }: Session,
  tokens: readonly RosterToken[],
  reader: TokenReader,
): Promise<readonly RosterChange[]> {
  const changes: RosterChange[] = [];
  for (const token of tokens) {
    const missing = tokenReaders(state, reader.access).filter((key) => wrapTo(token.wraps, key) === undefined);
    const secret = missing.length === 0 ? undefined : await tokenSecret(token, reader);
    if (secret === undefined) continue;
    const wraps = sealToken(secret, { token: token.token, to: missing, random: desk.world.random });
    changes.push({ type: "token.wrap", token: token.token, wraps });
  }
  return changes;
}
