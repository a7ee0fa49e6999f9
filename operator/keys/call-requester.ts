// The admin's side of an approval: calls the person who waits, and has the six digits typed that only the two of them can see alike.
import { fromBase64url, toBase64url } from "../../protocol/bytes.ts";
import { fromCrockford, toCrockford } from "../../protocol/crockford.ts";
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import { type KeyApproval, longCode, sixDigits } from "../../protocol/key-approval.ts";
import { checkReveal } from "../../protocol/key-request.ts";
import { LONG_CODE_CHARS, MAX_APPROVAL_MS } from "../../protocol/limits.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { askLine } from "../ask.ts";
import { isKind } from "../connection/relay-client.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { signStatement } from "../unlock/keyring.ts";
import type { Unlocked } from "../unlock/unlock.ts";
import { patienceOf, Pushes } from "../wait-for.ts";
import type { World } from "../world.ts";
import type { WaitingRequest } from "./waiting-requests.ts";

/**
 * Whether the digits that were typed are those of this request; one try. Throws `newcomer-away`, `approval-late`, or `code-commit`
 * where what was told is not what the request commits to.
 */
export async function areDigitsRight({ session, keys }: Unlocked, waiting: WaitingRequest): Promise<boolean> {
  const { client, desk, state, now } = session;
  const { world } = desk;
  const approval: KeyApproval = {
    tenant: state.tenant,
    session: toBase64url(world.random(16)),
    request: waiting.id,
    keyHead: state.head,
    nonce: toBase64url(world.random(32)),
    expiresAt: now + MAX_APPROVAL_MS,
  };
  const envelope = await signStatement("key-approval", encodeStrict(approval), [keys]);
  const pushes = new Pushes(client);
  using patience = patienceOf(world, MAX_APPROVAL_MS);
  await client.ask("ok", { type: "offer-approval", request: waiting.id }, [envelope]);
  const nonce = await revealed(pushes, { session: approval.session, patience: patience.signal });
  checkReveal(waiting.request, nonce);
  const typed = await typedDigits(world, waiting.request.name, patience.signal);
  return typed === digitsOf({ waiting, approval, envelope, nonce });
}

/** The nonce that the requester told to this session. */
async function revealed(
  pushes: Pushes,
  { session, patience }: { readonly session: string; readonly patience: AbortSignal },
): Promise<Uint8Array> {
  for (;;) {
    const message = await pushes.next(patience);
    if (message === undefined) throw new Fault("approval-late", "");
    if (isKind(message, "reveal-news") && message.header.session === session)
      return fromBase64url(message.header.nonce) ?? new Uint8Array(0);
  }
}

async function typedDigits(world: World, name: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const typed = await askLine(world, `Six digits that ${name} reads out to you:`, signal);
    const digits = typed.replace(/[\s-]/g, "");
    if (/^\d{6}$/.test(digits)) return digits;
    say(world, "that is not six digits; ask for them again");
  }
}

type Call = {
  readonly waiting: WaitingRequest;
  readonly approval: KeyApproval;
  readonly envelope: Uint8Array;
  readonly nonce: Uint8Array;
};

function digitsOf({ waiting, approval, envelope, nonce }: Call): string {
  return sixDigits({
    request: waiting.id,
    approval: statementId(readEnvelope(envelope)),
    requesterNonce: nonce,
    approverNonce: fromBase64url(approval.nonce) ?? new Uint8Array(0),
  });
}

/** Whether a typed long code is the request's, in any spelling that Crockford's base32 reads. */
export function isLongCode(typed: string, request: string): boolean {
  const bytes = fromCrockford(typed, LONG_CODE_CHARS);
  return bytes !== undefined && toCrockford(bytes, LONG_CODE_CHARS) === longCode(request);
}
