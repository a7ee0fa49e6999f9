// Unlocking the signature key for one command, and what an unlocked client does on the side: it renews its own access,
// admits devices that prove their token, and vouches for the log by a checkpoint.
import type { Checkpoint } from "../../protocol/checkpoint.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { admitPending, shareTokens } from "../devices/admit.ts";
import { type Desk, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import type { FoundKeys } from "./find-keys.ts";
import { startHolder } from "../holder/start.ts";
import { keyringOf, type Keyring, signStatement } from "./keyring.ts";
import { KEY_END_WARNING_MS } from "../limits.ts";
import { isGiven } from "../passphrase/passphrase-input.ts";
import { date } from "../present/time.ts";
import type { Session } from "../connection/session.ts";
import { stricter, unlockedMs } from "./prompt-choice.ts";
import { endUnfit, openHeld } from "./unlock-held.ts";
import { openTyped, ownOperator } from "./unlock-typed.ts";

export type Unlocked = { readonly session: Session; readonly keys: Keyring };

/** `always`: the passphrase is asked for whatever is unlocked, as for every act on keys, policy and tenants. */
export type UnlockOptions = { readonly ask?: "always" };

/**
 * Unlocks the key, by the holder where one is up, else by the passphrase; by the passphrase too where a script gives it.
 * Throws `passphrase-wrong` before anything but the login was sent. The caller ends the session.
 */
export async function openUnlocked(desk: Desk, { ask }: UnlockOptions = {}): Promise<Unlocked> {
  const mayHold = ask !== "always" && !isGiven(desk.options);
  const unlocked = (mayHold ? await openHeld(desk) : undefined) ?? (await openByPassphrase(desk, mayHold));
  try {
    sayKeyEnd(unlocked);
    await admitAndSay(unlocked);
    return unlocked;
  } catch (error) {
    unlocked.session[Symbol.dispose]();
    throw error;
  }
}

async function openByPassphrase(desk: Desk, mayHold: boolean): Promise<Unlocked> {
  const { session, keys } = await openTyped(desk);
  try {
    await endUnfit(desk, session.state);
    if (mayHold) await keepUnlocked(session, keys);
    return { session, keys: keyringOf(keys) };
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
}

/** Starts a holder where this home asks for the passphrase once in a while. Without one the command goes on all the same. */
async function keepUnlocked({ desk: { home, world }, state }: Session, { seeds }: FoundKeys): Promise<void> {
  const lifetimeMs = unlockedMs(stricter(home.config.prompt ?? "task", state.policy.prompt));
  if (lifetimeMs === 0) return;
  try {
    await startHolder(home, world, { seeds, lifetimeMs });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    say(world, `${error.sentence}: ${error.detail}`);
  }
}

/** Devices refuse a key's jobs from its end on, so its owner hears of it a month before. */
function sayKeyEnd({ session: { desk, state, now } }: Unlocked): void {
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

/** An auditor's word counts for no log and no device. */
function isAuditor({ desk, state }: Session): boolean {
  return ownOperator(state, desk.home.config.operator).role === "auditor";
}

/** Signs that this client knows the heads that it knows. */
export async function sendCheckpoint({ session, keys }: Unlocked): Promise<void> {
  if (isAuditor(session)) return;
  const { state, roster } = session;
  const rosterHead = roster.head === undefined ? {} : { rosterHead: roster.head };
  const checkpoint: Checkpoint = { tenant: state.tenant, keyHead: state.head, ...rosterHead, time: session.now };
  const signed = await signStatement("checkpoint", encodeStrict(checkpoint), [keys]);
  await session.client.ask("ok", { type: "send-checkpoint" }, [signed]);
}

async function admitAndSay({ session, keys }: Unlocked): Promise<void> {
  if (isAuditor(session)) return;
  await shareTokens(session, keys);
  for (const { name, host } of await admitPending(session, keys)) {
    say(session.desk.world, `admitted ${name} (${host}), which proved its package's token`);
  }
}
