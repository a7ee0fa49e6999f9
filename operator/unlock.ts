// Unlocking the signature key with the passphrase, for one command, and what an unlocked client does on the side: it
// renews its own access, admits devices that prove their token, and vouches for the log by a checkpoint.
import { toBase64url } from "../protocol/bytes.ts";
import { signCheckpoint } from "../protocol/checkpoint.ts";
import type { KeyLogState, Operator } from "../protocol/key-state.ts";
import { deriveOperatorKeys, type OperatorKeys } from "../protocol/passphrase.ts";
import { Refusal } from "../protocol/refusal.ts";
import { readAccessGrant, signAccessGrant } from "../protocol/relay-login.ts";
import { type AccessKey, type Home, readGrant, writeGrant } from "./home.ts";
import { admitPending } from "./admit.ts";
import { type Desk, say } from "./desk.ts";
import { Fault } from "./fault.ts";
import { ACCESS_LIFETIME_MS, ACCESS_RENEW_MS, KEY_END_WARNING_MS } from "./limits.ts";
import { readPassphrase } from "./passphrase-input.ts";
import { date } from "./present/time.ts";
import { openSession, type Session } from "./session.ts";

export type Unlocked = { readonly session: Session; readonly keys: OperatorKeys };

/**
 * Asks for the passphrase and derives the key while the relay is dialled. Throws `passphrase-wrong` before anything but
 * the login was sent. The caller ends the session.
 */
export async function openUnlocked(desk: Desk): Promise<Unlocked> {
  const passphrase = await readPassphrase(desk.world, desk.options);
  const known = desk.cache.keyState();
  const canDial = known === undefined || accessLeftMs(desk, known) > 0;
  const dialled = canDial ? settled(openSession(desk)) : undefined;
  const first = known && (await keysFor(desk.home, known, passphrase));
  if (first !== undefined) renewAccess(desk, known, first);
  const session = await orWrong(dialled ?? settled(openSession(desk)), known !== undefined && first === undefined);
  try {
    const keys = await currentKeys(session, { first, known, passphrase });
    renewAccess(desk, session.state, keys);
    sayKeyEnd(session);
    await admitAndSay(session, keys);
    return { session, keys };
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
}

/** Devices refuse a key's jobs from its end on, so its owner hears of it a month before. */
function sayKeyEnd({ desk, state, now }: Session): void {
  const words = keyEndWords(ownOperator(state, desk.home.config.operator).notAfter, now);
  if (words !== undefined) say(desk.world, words);
}

/** What to say of a key's end; `undefined` while it is far. */
export function keyEndWords(notAfter: number, now: number): string | undefined {
  if (notAfter - now > KEY_END_WARNING_MS) return undefined;
  const end = date(notAfter);
  return notAfter <= now
    ? `your key ended on ${end}: devices refuse its jobs`
    : `your key ends on ${end}: devices refuse its jobs from then on`;
}

/** Signs that this client knows the heads that it knows. */
export async function sendCheckpoint({ session, keys }: Unlocked): Promise<void> {
  const { state, roster } = session;
  const rosterHead = roster.head === undefined ? {} : { rosterHead: roster.head };
  const checkpoint = { tenant: state.tenant, keyHead: state.head, ...rosterHead, time: session.now };
  await session.client.ask("ok", { type: "send-checkpoint" }, [signCheckpoint(checkpoint, keys.signer)]);
}

/** This operator's own entry in the key log. Throws `key-not-active`. */
function ownOperator(state: KeyLogState, operator: string): Operator {
  const own = state.operators.find((candidate) => candidate.operator === operator);
  if (own === undefined) throw new Fault("key-not-active", `operator ${operator}`);
  return own;
}

/** A grant for this client's access key, signed by the operator's. */
export function grantFor(
  access: AccessKey,
  { tenant, operator, keys, now }: { tenant: string; operator: string; keys: OperatorKeys; now: number },
): Uint8Array {
  const sig = toBase64url(access.signer.publicKey);
  const enc = toBase64url(access.sealing.publicKey);
  const grant = { tenant, operator, sig, enc, issuedAt: now, notAfter: now + ACCESS_LIFETIME_MS };
  return signAccessGrant(grant, keys.signer);
}

/** The key that this passphrase leads to, if it is the operator's active one in this state. */
async function keysFor(home: Home, state: KeyLogState, passphrase: string): Promise<OperatorKeys | undefined> {
  const own = ownOperator(state, home.config.operator);
  const earlier = new Set(state.terms.filter(({ operator }) => operator === own.operator).map(({ key }) => key));
  const origin = { operator: own.operator, generation: earlier.size - 1, setupSecret: home.setupSecret };
  const keys = await deriveOperatorKeys(passphrase, origin);
  return keys.signer.key === own.key ? keys : undefined;
}

type Tried = {
  readonly first: OperatorKeys | undefined;
  readonly known: KeyLogState | undefined;
  readonly passphrase: string;
};

/** The keys for the log as it is now: the sync may have brought a changed key of this operator. */
async function currentKeys({ desk, state }: Session, { first, known, passphrase }: Tried): Promise<OperatorKeys> {
  const { operator } = desk.home.config;
  const own = ownOperator(state, operator);
  if (first?.signer.key === own.key) return first;
  const isUnchanged = known?.operators.find((candidate) => candidate.operator === operator)?.key === own.key;
  const keys = isUnchanged ? undefined : await keysFor(desk.home, state, passphrase);
  if (keys === undefined) throw new Fault("passphrase-wrong", "");
  return keys;
}

function renewAccess(desk: Desk, state: KeyLogState | undefined, keys: OperatorKeys): void {
  if (state === undefined || accessLeftMs(desk, state) > ACCESS_RENEW_MS) return;
  const { folder, access, config } = desk.home;
  const { tenant, operator } = config;
  writeGrant(folder, grantFor(access, { tenant, operator, keys, now: desk.world.now() }));
}

/** How long the client's access lasts yet; 0 where it has none that this log allows. */
function accessLeftMs({ home, world }: Desk, state: KeyLogState): number {
  const grant = readGrant(home.folder);
  if (grant === undefined) return 0;
  try {
    return readAccessGrant(grant, { state, now: world.now() }).notAfter - world.now();
  } catch (error) {
    if (error instanceof Refusal) return 0;
    throw error;
  }
}

async function admitAndSay(session: Session, keys: OperatorKeys): Promise<void> {
  for (const { name, host } of await admitPending(session, keys)) {
    say(session.desk.world, `admitted ${name} (${host}), which proved its package's token`);
  }
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

/** A promise that may fail before anybody waits for it. */
function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

/** Where the passphrase was wrong already, that is what is said, not that the relay is away. */
async function orWrong<T>(promise: Promise<Settled<T>>, isWrong: boolean): Promise<T> {
  const outcome = await promise;
  if ("value" in outcome) return outcome.value;
  if (isWrong) throw new Fault("passphrase-wrong", "", { cause: outcome.error });
  throw outcome.error;
}
