// Uninstalling: one transaction ends the binding and signs a goodbye to the owner; the goodbye is brought to a relay where there
// is a network; then keys, queue and files are gone, and the journal stays. A crash in between leaves a device that is bound as
// before, or one that has left: its next `leave` does the rest, and its next start says the goodbye.
import { rmSync } from "node:fs";
import type { Logger } from "pino";
import { signBindingReport } from "../../protocol/binding-report.ts";
import { emptyLedger, endJobs, type IdentityEnd, isMadeHere, noteEnd } from "./end-identity.ts";
import { endFarewell, type Farewell, forgetFarewell, keepFarewell, readFarewell } from "./farewell.ts";
import { visit } from "./farewell-errand.ts";
import type { JournalPlace } from "../state/journal.ts";
import { keepLeftOwner } from "./left-owner.ts";
import { LEAVE_MS } from "../limits.ts";
import { forgetNetwork, type Network } from "../connection/network.ts";
import { type Owner, readOwner } from "./owner.ts";
import type { Paths } from "../paths.ts";
import { forgetRefusedPackage } from "./refused-package.ts";

export type LeaveOptions = Omit<IdentityEnd, "now"> & {
  readonly paths: Paths;
  readonly now: () => number;
  readonly network: () => Network | Promise<Network>;
  readonly log: Logger;
};

/**
 * `told`: a relay took the goodbye, or never knew this device; `untold`: none did in time; `silent`: there was nobody to tell,
 * because there was no owner, or this disk is a copy of another machine's.
 */
export type Leaving = "told" | "untold" | "silent";

/** Under the lock of the state. Safe to call again after a crash at any point. */
export async function leave(options: LeaveOptions): Promise<Leaving> {
  const { state, paths } = options;
  endBinding(options);
  const farewell = readFarewell(state);
  const leaving = farewell === undefined ? "silent" : await sayGoodbye(farewell, options);
  if (farewell !== undefined) endFarewell(state, farewell);
  removeFiles(paths);
  return leaving;
}

/** What lies beside the state's own file. */
export function removeFiles(paths: Paths): void {
  forgetNetwork(paths.state);
  for (const file of [paths.ownerMark, paths.publicStatus]) rmSync(file, { force: true });
  removeFolders(paths);
}

/** What jobs brought, left behind and wait for. */
export function removeFolders(paths: Paths): void {
  for (const folder of [paths.jobs, paths.files, paths.fetched, paths.placed, paths.running])
    rmSync(folder, { recursive: true, force: true });
}

/** Bound, or left with a goodbye that is still to be said, and nothing in between. */
function endBinding(options: LeaveOptions): void {
  const { state, now } = options;
  const end = { ...options, now: now() };
  state.write("leave", () => {
    const owner = readOwner(state);
    if (owner === undefined) return;
    // Nobody serves this state, so what had begun was cut off.
    endJobs(owner, end, { begun: { type: "lost" }, waiting: { type: "cancelled", by: "uninstall" } });
    const journal = noteEnd(owner, end, "left");
    if (isMadeHere(owner, options.machine)) keepFarewell(state, lastReport(owner, { journal, end }), end.now);
    else forgetFarewell(state);
    emptyLedger(state);
    forgetRefusedPackage(state);
    state.run("DELETE FROM vouch");
    keepLeftOwner(state);
  });
}

type Last = { readonly journal: JournalPlace; readonly end: IdentityEnd };

function lastReport({ tenant, device, keyState, signer }: Owner, { journal, end }: Last): Uint8Array {
  const report = { tenant, device, keyHead: keyState.head, left: { journal }, agent: end.agent.text, time: end.now };
  return signBindingReport(report, signer);
}

/** To all relays at once, until one has heard it: one that hangs must not take the time of another that listens. */
async function sayGoodbye(farewell: Farewell, options: LeaveOptions): Promise<Leaving> {
  const heard = new AbortController();
  const ending = AbortSignal.any([heard.signal, AbortSignal.timeout(LEAVE_MS)]);
  const visits = farewell.relays.map(async (relay) => {
    if (await isHeard(relay, farewell, { options, ending })) heard.abort();
  });
  await Promise.all(visits);
  return heard.signal.aborted ? "told" : "untold";
}

/** A proxy that cannot be used, say, must not keep the keys here. */
async function isHeard(relay: string, farewell: Farewell, { options, ending }: Visiting): Promise<boolean> {
  try {
    return await visit(relay, { ...options, farewell }, ending);
  } catch (error) {
    options.log.warn({ relay, reason: String(error) }, "the owner's relay could not be told");
    return false;
  }
}

type Visiting = { readonly options: LeaveOptions; readonly ending: AbortSignal };
