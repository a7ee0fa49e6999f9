// What the version that serves does for the versions on the disk: says what failed before it, tidies, and tells the starter that it runs.
import type { Logger } from "pino";
import { AgentFault } from "../fault.ts";
import { STARTED_MS } from "../limits.ts";
import { journalFailure } from "../state/held-state.ts";
import type { State } from "../state/state.ts";
import { cleanUp, forgetStarts, seeVersions, type Versions } from "./versions.ts";

/**
 * Serves, as a start that the starter counted: after a minute, or an end in order, the count begins anew. An end in order is also
 * the agent's own refusal to run here (a full disk, a copied one), of which another version would say the same.
 */
export async function countedStart(
  { versions, log }: { readonly versions: Versions; readonly log: Logger },
  serve: () => Promise<void>,
): Promise<void> {
  const forget = () => unlessItCannot("the starter's count stays", log, () => forgetStarts(versions));
  const settled = setTimeout(forget, STARTED_MS);
  try {
    await serve();
    forget();
  } catch (error) {
    if (error instanceof AgentFault) forget();
    throw error;
  } finally {
    clearTimeout(settled);
  }
}

/** A folder of versions that takes no change is no reason not to serve. */
function unlessItCannot(otherwise: string, log: Logger, act: () => void): void {
  try {
    act();
  } catch (error) {
    log.warn({ reason: error instanceof Error ? error.message : "" }, otherwise);
  }
}

export type Settling = {
  readonly state: State;
  readonly versions: Versions;
  readonly wasReturned: boolean;
  readonly log: Logger;
  readonly now: number;
};

export function settleVersions({ state, versions, wasReturned, log, now }: Settling): void {
  const { failed, odd } = seeVersions(versions);
  if (wasReturned) log.warn({ failed }, "the state is as it was before another version changed it");
  for (const reason of odd) log.error({ reason }, "versions are not used");
  journalFailure(state, versions, now);
  unlessItCannot("old versions were not removed", log, () => cleanUp(versions));
}
