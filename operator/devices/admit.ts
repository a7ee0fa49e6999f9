// Admitting devices into the roster: at once those that prove an `auto` token, by hand the others; and the tokens' secrets.
import { fromBase64url } from "../../protocol/bytes.ts";
import { checkProof } from "../../protocol/enrolment.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { type RosterToken, usableToken } from "../../protocol/roster.ts";
import { appendChanges, type RosterChange } from "./append-roster.ts";
import { freeName } from "./device-name.ts";
import { type ListedDevice, listDevices } from "./listed-devices.ts";
import type { Keyring } from "../unlock/keyring.ts";
import type { Session } from "../connection/session.ts";
import { rewrapChanges, type TokenReader, tokenSecret } from "./token-secret.ts";

export type Admitted = { readonly name: string; readonly host: string };

/**
 * Admits each device that proves a token of mode `auto`, under a name made from its host. A device that was removed
 * before is not admitted by its old proof again.
 */
export async function admitPending(session: Session, keys: Keyring): Promise<readonly Admitted[]> {
  if (usableTokens(session).length === 0) return [];
  const listed = await listDevices(session);
  const admitted = new Map<string, Admitted>();
  await appendChanges(session, keys, async () => {
    admitted.clear();
    const secrets = await tokenSecrets(usableTokens(session), readerOf(session, keys));
    return planAdmissions(session, secrets, { listed, admitted });
  });
  return [...admitted.values()];
}

/** Seals the tokens that may still admit to colleagues who could not open them yet. */
export async function shareTokens(session: Session, keys: Keyring): Promise<void> {
  if (usableTokens(session).length === 0) return;
  const reader = readerOf(session, keys);
  await appendChanges(session, keys, () => rewrapChanges(session, usableTokens(session), reader));
}

/** The tokens of mode `auto` that may still admit. */
function usableTokens(session: Session): readonly RosterToken[] {
  const tokens = [...session.roster.tokens.values()];
  return tokens.filter(({ mode, token }) => mode === "auto" && isUsable(session, token));
}

/** By the token's id; those that this operator can open. */
type TokenSecrets = ReadonlyMap<string, Uint8Array>;

async function tokenSecrets(tokens: readonly RosterToken[], reader: TokenReader): Promise<TokenSecrets> {
  const secrets = new Map<string, Uint8Array>();
  for (const token of tokens) {
    const secret = await tokenSecret(token, reader);
    if (secret !== undefined) secrets.set(token.token, secret);
  }
  return secrets;
}

function planAdmissions(
  session: Session,
  secrets: TokenSecrets,
  { listed, admitted }: { listed: readonly ListedDevice[]; admitted: Map<string, Admitted> },
): readonly RosterChange[] {
  const taken = new Set([...session.roster.devices.values()].map(({ name }) => name.toLowerCase()));
  const left = new Map<string, number>();
  return listed.flatMap((device): readonly RosterChange[] => {
    const token = provenToken(session, secrets, device);
    if (token === undefined) return [];
    const uses = left.get(token.token) ?? token.maxUses - token.uses;
    if (uses <= 0) return [];
    left.set(token.token, uses - 1);
    const name = freeName(device.request.host, taken);
    taken.add(name.toLowerCase());
    admitted.set(device.device, { name, host: device.request.host });
    return [admission(device, { name, class: token.class, groups: token.groups, token: token.token })];
  });
}

/** The token whose secret this device holds. */
function provenToken({ roster }: Session, secrets: TokenSecrets, listed: ListedDevice): RosterToken | undefined {
  const { device, request } = listed;
  if (request.token === undefined || roster.devices.has(device) || roster.removed.has(device)) return undefined;
  const secret = secrets.get(request.token);
  return secret !== undefined && isProofOf(listed, secret) ? roster.tokens.get(request.token) : undefined;
}

function readerOf({ desk }: Session, keys: Keyring): TokenReader {
  return { keys, access: desk.home.access.sealing };
}

/** Whether a device proved that it holds this token's secret. */
export async function isProven(
  session: Session,
  keys: Keyring,
  { listed, token }: { readonly listed: ListedDevice; readonly token: RosterToken },
): Promise<boolean> {
  const secret = await tokenSecret(token, readerOf(session, keys));
  return secret !== undefined && isProofOf(listed, secret);
}

function isProofOf(listed: ListedDevice, secret: Uint8Array): boolean {
  const proof = listed.proof === undefined ? undefined : fromBase64url(listed.proof);
  try {
    checkProof({ request: listed.requestBytes, proof }, secret);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

function isUsable({ roster, now }: Session, token: string): boolean {
  try {
    usableToken(roster, token, now);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** The entry that admits a device with the keys that its own request names. */
export function admission(
  { device, request, requestId }: ListedDevice,
  as: { name: string; class: string; groups: readonly string[]; token?: string },
): RosterChange {
  const token = as.token === undefined ? {} : { token: as.token };
  const { sig, enc } = request;
  const groups = [...as.groups];
  return {
    type: "device.admit",
    device,
    sig,
    enc,
    name: as.name,
    class: as.class,
    groups,
    request: requestId,
    ...token,
  };
}
