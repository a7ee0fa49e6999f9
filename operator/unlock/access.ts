// This client's access: the grant by which the operator's signature key lets the client's own key log in, read and send.
import { toBase64url } from "../../protocol/bytes.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { type AccessGrant, readAccessGrant } from "../../protocol/relay-login.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import type { Desk } from "../desk.ts";
import { type AccessKey, readGrant, writeGrant } from "../home/home.ts";
import { ACCESS_LIFETIME_MS, ACCESS_RENEW_MS } from "../limits.ts";
import { signStatement, type StatementSigner } from "./keyring.ts";

/** A grant for this client's access key, signed by the operator's. */
export function grantFor(
  access: AccessKey,
  { tenant, operator, keys, now }: { tenant: string; operator: string; keys: StatementSigner; now: number },
): Promise<Uint8Array> {
  const sig = toBase64url(access.signer.publicKey);
  const enc = toBase64url(access.sealing.publicKey);
  const grant: AccessGrant = { tenant, operator, sig, enc, issuedAt: now, notAfter: now + ACCESS_LIFETIME_MS };
  return signStatement("access-grant", encodeStrict(grant), [keys]);
}

/** Writes a new grant where this log allows none, or one that ends soon. */
export async function renewAccess(desk: Desk, state: KeyLogState, keys: StatementSigner): Promise<void> {
  if (accessLeftMs(desk, state) > ACCESS_RENEW_MS) return;
  const { folder, access, config } = desk.home;
  const { tenant, operator } = config;
  writeGrant(folder, await grantFor(access, { tenant, operator, keys, now: desk.world.now() }));
}

/** How long the client's access lasts yet; 0 where it has none that this log allows. */
export function accessLeftMs({ home, world }: Desk, state: KeyLogState): number {
  const grant = readGrant(home.folder);
  if (grant === undefined) return 0;
  try {
    return readAccessGrant(grant, { state, now: world.now() }).notAfter - world.now();
  } catch (error) {
    if (error instanceof Refusal) return 0;
    throw error;
  }
}

/** Whether a relay said that it does not let this client in: its grant has ended, or its operator's key has. */
export function isAccessRefused(error: unknown): boolean {
  return error instanceof Refusal && (error.code === "access-expired" || error.code === "signer-unknown");
}
