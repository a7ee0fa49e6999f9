// The state as the one agent that serves it opens it: locked first, then put back where another version had moved it on, and
// copied where this version is on trial and moves it on itself.
import { append } from "./journal.ts";
import { lockState } from "./lock.ts";
import { textOf } from "./row.ts";
import { makeStateFolder, State } from "./state.ts";
import { copyState, dropCopies, hasCopy, returnState } from "./state-copy.ts";
import { askedTrial, dropBack, seeVersions, type Versions } from "../update/versions.ts";

export type HeldState = Disposable & { readonly state: State; readonly wasReturned: boolean };

/** For a version that serves, once `leaveNoWayBack` was called. Throws as `State.open`, or `state-busy`. */
export function openToServe(folder: string): HeldState {
  return hold(folder, () => {
    const wasReturned = returnState(folder);
    return { state: State.open(folder), wasReturned };
  });
}

/**
 * From here on jobs may be accepted and answers sent: the state before is gone from the disk when this returns, and with it the way to
 * a version that can read no other.
 */
export function leaveNoWayBack(folder: string, versions: Versions): void {
  closeWayBack(folder, versions);
  dropCopies(folder);
}

/** Where this version has changed the tables, the one before it is not to be started any more. */
export function closeWayBack(folder: string, versions: Versions): void {
  if (hasCopy(folder, versions.running)) dropBack(versions);
}

/** For a version on trial, which changes nothing but its tables. Throws as `State.open`, or `state-busy`. */
export function openToProve(folder: string, versions: Versions): HeldState {
  return hold(folder, () => {
    const copy = () => copyState(folder, versions.running);
    return { state: State.open(folder, undefined, copy), wasReturned: false };
  });
}

/** Writes down once that a version was tried and given up. */
export function journalFailure(state: State, versions: Versions, now: number): void {
  const { failed } = seeVersions(versions);
  if (failed === undefined) return;
  const asked = askedTrial(versions);
  const job = asked?.version === failed.version ? asked.job : "by hand";
  const entry = { type: "version-failed", version: failed.version, job } as const;
  if (!isWritten(state, entry)) state.write("version failed", () => append(state, now, entry));
}

/** As the newest of its kind: a later trial of the same version, for another job, is another failure. */
function isWritten(state: State, { version, job }: { readonly version: string; readonly job: string }): boolean {
  const row = state.get(
    'SELECT entry FROM journal WHERE entry LIKE \'%"type":"version-failed"%\' ORDER BY seq DESC LIMIT 1',
  );
  if (row === undefined) return false;
  const entry = textOf(row, "entry");
  return entry.includes(`"version":"${version}"`) && entry.includes(`"job":"${job}"`);
}

function hold(folder: string, open: () => { readonly state: State; readonly wasReturned: boolean }): HeldState {
  makeStateFolder(folder);
  using held = new DisposableStack();
  held.use(lockState(folder));
  const { state, wasReturned } = open();
  held.defer(() => state.close());
  const kept = held.move();
  return { state, wasReturned, [Symbol.dispose]: () => kept.dispose() };
}
