// What follows every act on keys: colleagues and devices are told, it is shown who has heard, and who has not.
import { followUp } from "./anchor.ts";
import type { AppendedKey, KeyDesk } from "./append-key.ts";
import { type CommonOptions, print, printJson, say } from "../desk.ts";
import { showHeard } from "./heard.ts";
import type { Session } from "../connection/session.ts";
import { cosignCommand } from "../cosign/proposals.ts";
import type { Unlocked } from "../unlock/unlock.ts";

export type WaitHeardOptions = { readonly wait?: boolean };

/** The session as a place to write key events from; its state follows. */
export function keyDeskOf(session: Session): KeyDesk {
  return {
    folder: session.desk.home.folder,
    client: session.client,
    cache: session.desk.cache,
    now: session.now,
    get state() {
      return session.state;
    },
    set state(after) {
      session.state = after;
    },
  };
}

export type KeyAct = {
  readonly appended: AppendedKey;
  /** What was done, in one line. */
  readonly done: string;
  readonly options: CommonOptions & WaitHeardOptions;
  readonly json: object;
  /** Whether the signer can still sign: not after the revocation of one's own key. */
  readonly isActive?: boolean;
};

/**
 * Pins the place in the roster, so that a key that ended writes nothing below it (SPEC 5.3), vouches for it, and shows who
 * has heard. A proposal is only said.
 */
export async function afterKeyEvent(unlocked: Unlocked, act: KeyAct): Promise<void> {
  const { session } = unlocked;
  const { world } = session.desk;
  if (act.appended.type === "proposed") return sayProposed(session, act);
  if (act.options.json !== true) print(world, act.done);
  if (act.isActive !== false) await followUp(unlocked);
  const { place } = act.appended;
  if (act.isActive === false) {
    if (act.options.json === true) printJson(world, { ...act.json, keyLog: place });
    return;
  }
  const heard = await showHeard(session, place, { wait: act.options.wait !== false });
  if (act.options.json === true) printJson(world, { ...act.json, keyLog: place, heard });
}

function sayProposed({ desk: { world } }: Session, { appended, options, json }: KeyAct): void {
  if (appended.type !== "proposed") return;
  const { proposal } = appended;
  if (options.json === true) return printJson(world, { ...json, proposal });
  say(world, `signed; the policy asks for more admins. One of them runs: ${cosignCommand(proposal.slice(0, 10))}`);
}
