// The daemon in the test's own process, on a real state: started, ended with the test, and what it needs beside the state.
import { join } from "node:path";
import pino from "pino";
import { onTestFinished } from "vitest";
import { type DaemonOptions, runDaemon } from "../../agent/daemon.ts";
import { DIRECTLY } from "../../agent/connection/network.ts";
import { pathsIn } from "../../agent/paths.ts";
import { UNSUPERVISED } from "../../agent/service/supervisor.ts";
import type { State } from "../../agent/state/state.ts";
import { seeded } from "../cast/random.ts";
import { folder, openState } from "./bound.ts";
import { AGENT, environmentIn, MACHINE } from "./machine.ts";

/** A state in a folder of its own, with its path. */
export function stateFolder(): { readonly path: string; readonly state: State } {
  const path = join(folder(), "state");
  return { path, state: openState(path) };
}

export function daemonOptions(path: string, state: State, over: Partial<DaemonOptions> = {}): DaemonOptions {
  return {
    state,
    paths: pathsIn(path),
    machine: MACHINE,
    environment: environmentIn(path),
    agent: AGENT,
    inventoryCommand: ["/bin/false"],
    now: () => Date.now(),
    random: seeded("daemon"),
    draw: () => 0,
    network: () => DIRECTLY,
    supervisor: UNSUPERVISED,
    log: pino({ level: "silent" }),
    ...over,
  };
}

/** Runs a daemon until `stop` or the end of the test. */
export function startDaemon(path: string, state: State, over: Partial<DaemonOptions> = {}) {
  const stopping = new AbortController();
  const ended = runDaemon(daemonOptions(path, state, over), stopping.signal);
  const stop = () => {
    stopping.abort();
    return ended;
  };
  onTestFinished(stop);
  return { stop, ended };
}
