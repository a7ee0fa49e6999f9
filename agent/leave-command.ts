// `keybound-agent leave`, for uninstallers: under the lock that a running agent holds, without a terminal.
import { statSync } from "node:fs";
import { join } from "node:path";
import { leave, type LeaveOptions, type Leaving } from "./leave.ts";
import { lockState } from "./lock.ts";
import { State } from "./state.ts";

/**
 * Ends the binding and says in one line who heard of it. A folder without a state stays as it is. Throws `state-busy` while an
 * agent runs on it, or what `State.open` does.
 */
export async function leaveCommand(options: Omit<LeaveOptions, "state">): Promise<string> {
  const { paths } = options;
  if (isMissing(join(paths.state, "state.db"))) return "there is no state here, so there is nothing to leave";
  const state = State.open(paths.state);
  try {
    using held = new DisposableStack();
    held.use(lockState(paths.state));
    return SAYS[await leave({ ...options, state })];
  } finally {
    state.close();
  }
}

/** What may not be looked at is not missing: opening it says why. */
function isMissing(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

const SAYS: Readonly<Record<Leaving, string>> = {
  told: "left; the owner's relay was told. Keys, queue and files are gone, the journal stays",
  untold:
    "left, and nobody was told: no relay answered in time, so the owner still lists this device. Keys, queue and files are gone, the journal stays",
  silent: "nobody to tell. What there was of keys, queue and files is gone, the journal stays",
};
