/** A process of real agents: each with its own state, identity, connection and jobs, as many beside one another as are asked for. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { bind } from "../../agent/binding/bind.ts";
import { DIRECTLY } from "../../agent/connection/network.ts";
import { runDaemon } from "../../agent/daemon.ts";
import { pathsIn } from "../../agent/paths.ts";
import { UNSUPERVISED } from "../../agent/service/supervisor.ts";
import { State } from "../../agent/state/state.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { AGENT, environmentIn, MACHINE } from "../../test/agent/machine.ts";

export type CrowdRequest = {
  readonly type: "start";
  readonly package: string;
  readonly count: number;
  readonly folder: string;
};

const now = () => Date.now();
const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
const stopping = new AbortController();
const running: Promise<void>[] = [];

process.on("message", (request: CrowdRequest) => {
  start(request);
  process.send?.(running.length);
});
process.on("disconnect", () => stopping.abort());
process.once("SIGTERM", () => {
  stopping.abort();
  void Promise.allSettled(running).then(() => process.exit(0));
});

function start({ package: file, count, folder }: CrowdRequest): void {
  const offered = readPackage(new Uint8Array(readFileSync(file)), admitKey);
  for (let n = 0; n < count; n++) {
    const path = join(folder, `agent-${n}`);
    const state = State.open(path);
    const consent = { trust: undefined, rebind: false, confirmed: false };
    bind(offered, { state, machine: MACHINE, agent: AGENT, consent, now: now(), random });
    running.push(runDaemon(optionsOf(path, state), stopping.signal).finally(() => state.close()));
  }
}

// No inventory: two hundred machines' worth of it would be measured, and one machine has it once.
function optionsOf(path: string, state: State) {
  return {
    state,
    paths: pathsIn(path),
    machine: MACHINE,
    environment: environmentIn(path),
    agent: AGENT,
    inventoryCommand: ["/bin/false"] as const,
    now,
    random,
    draw: Math.random,
    network: () => DIRECTLY,
    supervisor: UNSUPERVISED,
    log: pino({ level: "silent" }),
  };
}
