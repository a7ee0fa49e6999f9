// What the version that serves does for the versions on the disk: says what failed before it, tidies, and tells the starter that it runs.
import type { Logger } from "pino";
import { AgentFault } from "./fault.ts";
import { journalFailure } from "./held-state.ts";
import { STARTED_MS } from "./limits.ts";
import type { State } from "./state.ts";
import { cleanUp, forgetStarts, seeVersions, type Versions } from "./versions.ts";

/**
 * Serves, as a start that the starter counted: after a minute, or an end in order, the count begins anew. An end in order is also
 * the agent's own refusal to run here (a full disk, a copied one), of which another version would say the same.
 */
export async function countedStart(versions: Versions, serve: () => Promise<void>): Promise<void> {
  const settled = setTimeout(() => forgetStarts(versions), STARTED_MS);
  try {
    await serve();
    forgetStarts(versions);
  } catch (error) {
    if (error instanceof AgentFault) forgetStarts(versions);
    throw error;
  } finally {
    clearTimeout(settled);
  }
}

export type Settling = {
  readonly state: State;
  readonly versions: Versions;
  readonly wasReturned: boolean;
  readonly log: Logger;
  readonly now: number;
};

/** A folder that cannot be tidied is no reason not to serve. */
export function settleVersions({ state, versions, wasReturned, log, now }: Settling): void {
  const { failed, odd } = seeVersions(versions);
  if (wasReturned) log.warn({ failed }, "the state is as it was before the version that failed");
  for (const reason of odd) log.error({ reason }, "versions are not used");
  journalFailure(state, versions, now);
  try {
    cleanUp(versions);
  } catch (error) {
    log.warn({ reason: error instanceof Error ? error.message : "" }, "old versions were not removed");
  }
}
