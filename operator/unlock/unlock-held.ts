// Unlocking by the key holder, where one is up and may be used by the policy as it is now.
import type { KeyLogState } from "../../protocol/key-state.ts";
import { openSession, type Session } from "../connection/session.ts";
import type { Desk } from "../desk.ts";
import { endHolder, findHolder, type Held, shortenHolder } from "../holder/held-keys.ts";
import { settled } from "../settled.ts";
import { accessLeftMs, isAccessRefused, renewAccess } from "./access.ts";
import type { Keyring } from "./keyring.ts";
import { unlockedMs } from "./prompt-choice.ts";

/** A session with the holder's keys; `undefined` where the passphrase has to be asked for. A holder that does not fit is ended. */
export async function openHeld(desk: Desk): Promise<{ session: Session; keys: Keyring } | undefined> {
  const held = await findHolder(desk.home, desk.world);
  const known = desk.cache.keyState();
  if (held === undefined || known === undefined || !(await isFit(desk, held, known))) return undefined;
  if (accessLeftMs(desk, known) === 0) await renewAccess(desk, known, held.keys);
  const outcome = await settled(openSession(desk));
  if ("error" in outcome) {
    if (!isAccessRefused(outcome.error)) throw outcome.error;
    return undefined;
  }
  return await withSession(outcome.value, held);
}

async function withSession(session: Session, held: Held): Promise<{ session: Session; keys: Keyring } | undefined> {
  try {
    if (await isFit(session.desk, held, session.state)) {
      await renewAccess(session.desk, session.state, held.keys);
      return { session, keys: held.keys };
    }
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
  session[Symbol.dispose]();
  return undefined;
}

/** Ends the holder of this home unless this log allows what it holds for as long as it has held it. */
export async function endUnfit(desk: Desk, state: KeyLogState): Promise<void> {
  const held = await findHolder(desk.home, desk.world);
  if (held !== undefined) await isFit(desk, held, state);
}

/** Whether the key is the operator's active one and not too old for the policy; ends the holder where not, or sees to it that it ends in time. */
async function isFit({ home, world }: Desk, held: Held, { operators, policy }: KeyLogState): Promise<boolean> {
  const limitMs = unlockedMs(policy.prompt);
  const isActive = operators.some(({ operator, key }) => operator === home.config.operator && key === held.keys.key);
  if (!isActive || held.ageMs >= limitMs) {
    await endHolder(home, world);
    return false;
  }
  if (held.ageMs + held.leftMs > limitMs) await shortenHolder(home, world, limitMs);
  return true;
}
