// Writing to the roster: signed for the place after its head, judged here first, and signed again when somebody was quicker.
import { Refusal } from "../../protocol/refusal.ts";
import { judgeRosterEvent } from "../../protocol/roster.ts";
import type { RosterEvent } from "../../protocol/roster-event.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { underLock } from "../home/home-lock.ts";
import { type Keyring, signStatement } from "../unlock/keyring.ts";
import { MAX_APPEND_TRIES } from "../limits.ts";
import type { Session } from "../connection/session.ts";

type ChainFields = "tenant" | "seq" | "prev" | "time" | "keyHead";
type WithoutChain<E> = E extends unknown ? Omit<E, ChainFields> : never;
/** What an entry says, before it has its place in the log. */
export type RosterChange = WithoutChain<RosterEvent>;

/** Makes the changes anew from the roster as it is; none where there is nothing to be done any more. */
export type PlanChanges = (session: Session) => readonly RosterChange[] | Promise<readonly RosterChange[]>;

/**
 * Appends the planned entries in order. Where another person appended meanwhile, syncs and plans again. Throws the
 * refusal of an entry that the roster does not take; what stands before it in the plan has been appended then.
 */
export async function appendChanges(session: Session, keys: Keyring, plan: PlanChanges): Promise<void> {
  await underLock(session.desk.home.folder, () => appendUntilTaken(session, keys, plan));
}

async function appendUntilTaken(session: Session, keys: Keyring, plan: PlanChanges): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await appendOnce(session, keys, await plan(session));
    } catch (error) {
      await session.sync();
      const wasOvertaken = error instanceof Refusal && error.code === "log-fork";
      if (!wasOvertaken || attempt >= MAX_APPEND_TRIES) throw error;
    }
  }
}

async function appendOnce(session: Session, keys: Keyring, changes: readonly RosterChange[]): Promise<void> {
  try {
    for (const change of changes) {
      const bytes = await signChange(session, keys, change);
      // Judged on our own copy first: what would be refused is not sent.
      judgeRosterEvent(session.roster, bytes, session.view);
      await session.client.ask("ok", { type: "append", log: "roster" }, [bytes]);
    }
  } catch (error) {
    // Our copy may hold an entry that the relay did not take.
    session.roster = session.desk.cache.roster(session.state.tenant);
    throw error;
  }
  if (changes.length > 0) session.desk.cache.keepRoster(session.roster);
}

function signChange({ roster, state, now }: Session, keys: Keyring, change: RosterChange): Promise<Uint8Array> {
  const chain = {
    tenant: state.tenant,
    seq: roster.head === undefined ? 0 : roster.head.seq + 1,
    prev: roster.head?.id ?? state.tenant,
    time: now,
    keyHead: state.head,
  };
  return signStatement("roster-event", encodeStrict({ ...chain, ...change }), [keys]);
}
