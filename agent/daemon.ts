// The daemon: serves the device's owner until it is stopped, and begins again by itself when the owner changes.
import type { Logger } from "pino";
import type { Random } from "../protocol/seal.ts";
import { DeafRelays } from "./connection/deaf-relays.ts";
import { runFarewellErrand } from "./binding/farewell-errand.ts";
import { AgentFault } from "./fault.ts";
import type { AgentVersion } from "./version.ts";
import { append } from "./state/journal.ts";
import type { Machine } from "./machine.ts";
import { isOwnMachine, type Owner, readOwner } from "./binding/owner.ts";
import { watchOwnerMark } from "./binding/owner-mark.ts";
import { OwnerChanged, OwnerState } from "./binding/owner-state.ts";
import type { Network } from "./connection/network.ts";
import type { Paths } from "./paths.ts";
import { writePublicStatus } from "./binding/public-status.ts";
import type { RunEnvironment } from "./run/run-job.ts";
import type { Supervisor } from "./service/supervisor.ts";
import { Tenure } from "./tenure.ts";
import type { State } from "./state/state.ts";

export type DaemonOptions = {
  readonly state: State;
  readonly paths: Paths;
  readonly machine: Machine;
  readonly environment: RunEnvironment;
  readonly agent: AgentVersion;
  readonly inventoryCommand: readonly [string, ...string[]];
  readonly now: () => number;
  readonly random: Random;
  /** Uniform in [0, 1). */
  readonly draw: () => number;
  /** How relays are reached, asked at each dial. */
  readonly network: () => Network | Promise<Network>;
  /** Who is told how the agent stands. */
  readonly supervisor: Supervisor;
  readonly log: Logger;
};

/** Runs until the signal aborts. Throws `clone` where this identity was made on another machine, `disk-full`, or our own fault. */
export async function runDaemon(options: DaemonOptions, signal: AbortSignal): Promise<void> {
  const { state, now, agent } = options;
  const deafRelays = new DeafRelays();
  state.write("start", () => append(state, now(), { type: "started", agent: agent.text }));
  while (!signal.aborted) {
    const owner = readOwner(state);
    writePublicStatus(options.paths, state, now());
    if (owner === undefined) await untilBound(options, signal);
    else await serveOwner(owner, { ...options, deafRelays }, signal);
  }
  state.write("stop", () => append(state, now(), { type: "stopped" }));
}

async function untilBound(options: DaemonOptions, signal: AbortSignal): Promise<void> {
  const { paths, state, supervisor, log } = options;
  log.info("this device has no owner yet; waiting to be bound");
  const changed = Promise.withResolvers<void>();
  const leaving = new AbortController();
  using watching = new DisposableStack();
  watching.use(watchOwnerMark(paths, changed.resolve));
  // Bound between our look and the watch: then there is nothing to wait for.
  if (readOwner(state) !== undefined || signal.aborted) return;
  signal.addEventListener("abort", () => changed.resolve(), { once: true });
  supervisor.says("this device has no owner yet; waiting to be bound");
  supervisor.ready();
  // An agent that was being uninstalled, and died before it had said so.
  const errand = runFarewellErrand(options, leaving.signal);
  await changed.promise;
  leaving.abort();
  await errand;
}

/** Until the signal aborts or the owner changes. */
async function serveOwner(
  owner: Owner,
  options: DaemonOptions & { readonly deafRelays: DeafRelays },
  signal: AbortSignal,
): Promise<void> {
  const { state, paths, machine, log } = options;
  checkMachine(owner, options);
  const owned = new OwnerState(state, owner);
  const ending = new AbortController();
  const stop = () => ending.abort();
  const faults: unknown[] = [];
  const onFault = (error: unknown) => {
    if (!(error instanceof OwnerChanged)) faults.push(error);
    stop();
  };
  const tenure = new Tenure(owned, { ...options, onFault });
  using watching = new DisposableStack();
  watching.use(watchOwnerMark(paths, () => (owned.isCurrent() ? tenure.bindingRefused() : stop())));
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted || !owned.isCurrent()) stop();
  log.info({ tenant: owner.tenant, device: owner.device, host: machine.host }, "serving the owner");
  await tenure.serve(ending.signal);
  signal.removeEventListener("abort", stop);
  if (faults.length > 0) throw faults[0];
  if (!signal.aborted) log.info("the owner has changed");
}

/** The same identity on another machine is a clone of its disk; two devices of one name must never both obey. */
function checkMachine(owner: Owner, { state, machine, now }: DaemonOptions): void {
  if (isOwnMachine(owner, machine)) return;
  state.write("clone", () => append(state, now(), { type: "clone", device: owner.device }));
  throw new AgentFault("clone", `device ${owner.device}`);
}
