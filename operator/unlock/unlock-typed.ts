// Unlocking by the passphrase: asked for, stretched while the relay is dialled, and held against the key log as it is now.
import type { KeyLogState, Operator } from "../../protocol/key-state.ts";
import { type Stretched, type StretchOrigin, stretchPassphrase } from "../../protocol/passphrase.ts";
import { refuse } from "../../protocol/refusal.ts";
import { openSession, type Session } from "../connection/session.ts";
import { type Desk, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { type Home, readGrant } from "../home/home.ts";
import { MAX_PROMPT_TRIES } from "../limits.ts";
import { isGiven, readPassphrase } from "../passphrase/passphrase-input.ts";
import { type Settled, settled } from "../settled.ts";
import { isAtTerminal } from "../world.ts";
import { accessLeftMs, isAccessRefused, renewAccess } from "./access.ts";
import { type FoundKeys, findKeys } from "./find-keys.ts";
import { keyringOf } from "./keyring.ts";

const FIRST_PROMPT = "Passphrase:";
const LATER_PROMPT = "Passphrase (forgotten? keybound key forgot):";

/** A session, and the operator's keys that are active in its log. */
export type Typed = { readonly session: Session; readonly keys: FoundKeys };

/**
 * Asks for the passphrase, at a terminal up to `MAX_PROMPT_TRIES` times. Throws `passphrase-wrong` before anything but
 * the login was sent, and `key-not-active` where the log has no key of this operator.
 */
export async function openTyped(desk: Desk): Promise<Typed> {
  let dialled: Promise<Settled<Session>> | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      const passphrase = await readPassphrase(desk.world, desk.options, attempt === 1 ? FIRST_PROMPT : LATER_PROMPT);
      dialled ??= dial(desk);
      const stretched = await stretchPassphrase(passphrase, stretchOrigin(desk.home));
      return await openWith(desk, stretched, dialled);
    } catch (error) {
      if (!isMistyped(error) || attempt >= MAX_PROMPT_TRIES || !isAsked(desk)) {
        await hangUp(dialled);
        throw error;
      }
      say(desk.world, error.sentence);
    }
  }
}

export function stretchOrigin({ config, setupSecret }: Home): StretchOrigin {
  return setupSecret === undefined ? { setupSecret, operator: config.operator } : { setupSecret };
}

/** This operator's own entry in the key log. Throws `key-not-active`. */
export function ownOperator(state: KeyLogState, operator: string): Operator {
  const own = state.operators.find((candidate) => candidate.operator === operator);
  if (own === undefined) throw new Fault("key-not-active", `operator ${operator}`);
  return own;
}

function isMistyped(error: unknown): error is Fault {
  return error instanceof Fault && (error.code === "passphrase-wrong" || error.code === "passphrase-odd");
}

/** Whether it is a person who types the passphrase. */
function isAsked({ world, options }: Desk): boolean {
  return isAtTerminal(world) && !isGiven(options);
}

/** A session by the access that this client has; refused here where it has none. */
function dial(desk: Desk): Promise<Settled<Session>> {
  const known = desk.cache.keyState();
  const hasAccess = known === undefined ? readGrant(desk.home.folder) !== undefined : accessLeftMs(desk, known) > 0;
  if (hasAccess) return settled(openSession(desk));
  return Promise.resolve({ error: refuse("access-expired", "this client has no access") });
}

async function hangUp(dialled: Promise<Settled<Session>> | undefined): Promise<void> {
  const outcome = await dialled;
  if (outcome !== undefined && "value" in outcome) outcome.value[Symbol.dispose]();
}

async function openWith(desk: Desk, stretched: Stretched, dialled: Promise<Settled<Session>>): Promise<Typed> {
  const known = desk.cache.keyState();
  const keys = known && findKeys(known, desk.home.config.operator, stretched);
  const outcome = await dialled;
  if ("value" in outcome) return await withSession(outcome.value, stretched);
  if (isAccessRefused(outcome.error)) return await openAnew(desk, stretched, { known, keys });
  // Where the passphrase was wrong already, that is what is said, not that the relay is away.
  if (known !== undefined && keys === undefined) throw new Fault("passphrase-wrong", "", { cause: outcome.error });
  throw outcome.error;
}

type Known = { readonly known: KeyLogState | undefined; readonly keys: FoundKeys | undefined };

/** Without access: the key that the log has, as it is known or as it is now, grants it anew. */
async function openAnew(desk: Desk, stretched: Stretched, { known, keys }: Known): Promise<Typed> {
  if (known !== undefined && keys !== undefined && accessLeftMs(desk, known) === 0) {
    await renewAccess(desk, known, keyringOf(keys));
    const outcome = await settled(openSession(desk));
    if ("value" in outcome) return await withOwnSession(outcome.value, stretched);
    if (!isAccessRefused(outcome.error)) throw outcome.error;
  }
  const state = await followed(desk, known !== undefined && keys === undefined);
  await renewAccess(desk, state, keyringOf(keysIn(state, desk, stretched)));
  return await withOwnSession(await openSession(desk), stretched);
}

/** The key log as it is now, for somebody who cannot log in by it. */
async function followed(desk: Desk, isWrong: boolean): Promise<KeyLogState> {
  const { followKeyLog } = await import("../connection/newcomer.ts");
  const outcome = await settled(followKeyLog(desk));
  if ("value" in outcome) return outcome.value;
  throw isWrong ? new Fault("passphrase-wrong", "", { cause: outcome.error }) : outcome.error;
}

/** The keys for the log as it is now: the sync may have brought a changed key of this operator. */
async function withSession(session: Session, stretched: Stretched): Promise<Typed> {
  const keys = keysIn(session.state, session.desk, stretched);
  await renewAccess(session.desk, session.state, keyringOf(keys));
  return { session, keys };
}

/** The same, and ends the session where it fails. */
async function withOwnSession(session: Session, stretched: Stretched): Promise<Typed> {
  try {
    return await withSession(session, stretched);
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
}

function keysIn(state: KeyLogState, { home }: Desk, stretched: Stretched): FoundKeys {
  const { operator } = ownOperator(state, home.config.operator);
  const keys = findKeys(state, operator, stretched);
  if (keys === undefined) throw new Fault("passphrase-wrong", "");
  return keys;
}
