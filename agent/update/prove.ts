// How a version on trial proves itself: it opens the state, finds its owner and identity there, and logs in at a relay of the owner's.
// It takes no job and sends nothing: what a relay hands it stays unanswered, and comes again to whoever serves.
import type { Logger } from "pino";
import { AgentFault } from "../fault.ts";
import { openToProve } from "../state/held-state.ts";
import type { Machine } from "../machine.ts";
import type { Network } from "../connection/network.ts";
import { isOwnMachine, readOwner } from "../binding/owner.ts";
import { stayConnected } from "../connection/relay-link.ts";
import type { State } from "../state/state.ts";
import { prove, type Versions } from "./versions.ts";

export type ProveOptions = {
  readonly machine: Machine;
  /** How long it may take to log in at a relay. */
  readonly withinMs: number;
  readonly network: () => Network | Promise<Network>;
  readonly now: () => number;
  readonly draw: () => number;
  readonly log: Logger;
};

/**
 * Proves this process's version and writes it down as the one to start. The state is moved on to its tables, with a copy kept, and closed
 * again. Throws as `openToProve` and `proveItself` do; the version is then still on trial.
 */
export async function proveVersion(
  folder: string,
  versions: Versions,
  options: ProveOptions,
  signal: AbortSignal,
): Promise<void> {
  using held = openToProve(folder, versions);
  await proveItself(held.state, options, signal);
  prove(versions);
}

/** Settles once this version has shown that it can serve. Throws `trial-unproved`, `not-bound` or `clone` where it has not. */
export async function proveItself(
  state: State,
  { machine, withinMs, ...link }: ProveOptions,
  signal: AbortSignal,
): Promise<void> {
  const owner = readOwner(state);
  if (owner === undefined)
    throw new AgentFault("not-bound", "a version on trial proves itself at a relay of its owner");
  if (!isOwnMachine(owner, machine)) throw new AgentFault("clone", `device ${owner.device}`);
  const found = new AbortController();
  const until = AbortSignal.any([signal, found.signal, AbortSignal.timeout(withinMs)]);
  const events = {
    onOpen: () => found.abort(),
    onFrame: () => undefined,
    onClose: () => undefined,
    onState: () => undefined,
  };
  await stayConnected({ ...link, relays: owner.relays, identity: owner, events }, until);
  if (!found.signal.aborted) throw new AgentFault("trial-unproved", `no login at a relay within ${withinMs} ms`);
}
