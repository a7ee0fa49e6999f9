// `keybound-agent leave`, for uninstallers: under the lock that a running agent holds, without a terminal.
import { statSync } from "node:fs";
import { join } from "node:path";
import { AgentFault, isDiskFull } from "../fault.ts";
import { type HeldState, openToServe } from "../state/held-state.ts";
import { dropCopies } from "../state/state-copy.ts";
import { emptyNewerState } from "./leave-newer.ts";
import { leave, type LeaveOptions, type Leaving, removeFiles, removeFolders } from "./leave.ts";

/**
 * Ends the binding and says in one line who heard of it. A version on trial leaves no trace: where it has changed the tables, the state is
 * put back first. A folder without a state stays as it is. Throws `state-busy` while an agent runs on it, `disk-full` or `state-unwritable`.
 */
export async function leaveCommand(options: Omit<LeaveOptions, "state">): Promise<string> {
  const { paths } = options;
  if (isMissing(join(paths.state, "state.db"))) return "there is no state here, so there is nothing to leave";
  try {
    return await leaveOnce(options);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    // To delete takes room as well. What the queue brought goes in any case, and is most of what there is.
    removeFolders(paths);
    return await leaveOnce(options);
  }
}

async function leaveOnce(options: Omit<LeaveOptions, "state">): Promise<string> {
  const { paths } = options;
  using held = openUnlessNewer(paths.state);
  // They have the keys in them, and could bring the owner back.
  dropCopies(paths.state);
  if (held !== undefined) return SAYS[await leave({ ...options, state: held.state })];
  emptyNewerState(paths.state);
  removeFiles(paths);
  return UNREAD;
}

function openUnlessNewer(folder: string): HeldState | undefined {
  try {
    return openToServe(folder);
  } catch (error) {
    if (error instanceof AgentFault && error.code === "state-newer") return undefined;
    throw error;
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

const UNREAD =
  "left, and nobody was told: the state is a newer agent's and cannot be read, so the owner still lists this device. Keys, queue and files are gone, the journal stays";
