// Work over a line that may be cut: done again on a new connection for as long as it gets on.
import { setTimeout as sleep } from "node:timers/promises";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { MAX_TRANSFER_TRIES, TRANSFER_RETRY_MS } from "../limits.ts";
import type { Session } from "./session.ts";

/**
 * Calls `step` until it answers that it is done. It says how far it is by `reached`; a cut line is dialled again, at first after a
 * second and then ever later, and given up only after several cuts without any progress.
 */
export async function overCuts(
  session: Session,
  { step, reached }: { readonly step: () => Promise<void>; readonly reached: () => number },
): Promise<void> {
  for (let tries = 0, best = reached(); ; ) {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof Fault && error.code === "relay-unreachable")) throw error;
      tries = reached() > best ? 0 : tries + 1;
      best = Math.max(best, reached());
      if (tries >= MAX_TRANSFER_TRIES) throw error;
    }
    await redial(session, tries);
  }
}

async function redial(session: Session, tries: number): Promise<void> {
  const { world } = session.desk;
  const waitMs = TRANSFER_RETRY_MS * 2 ** tries;
  say(world, `the line to the relay was cut; trying again in ${waitMs / 1000} s`);
  await sleep(waitMs);
  try {
    await session.reconnect();
  } catch (error) {
    // The next step finds the line closed, which counts as one more try.
    if (!(error instanceof Fault && error.code === "relay-unreachable")) throw error;
  }
}
