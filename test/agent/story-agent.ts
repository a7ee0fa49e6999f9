// The agent's daemon as a program on a machine whose boot the test names: `story-agent.ts STATE BOOT`.
import { randomBytes } from "node:crypto";
import { DIRECTLY } from "../../agent/connection/network.ts";
import { runDaemon } from "../../agent/daemon.ts";
import { pathsIn } from "../../agent/paths.ts";
import { openLog } from "../../agent/service/log.ts";
import { UNSUPERVISED } from "../../agent/service/supervisor.ts";
import { State } from "../../agent/state/state.ts";
import { AGENT, environmentIn, MACHINE } from "./machine.ts";

const [folder, bootId] = process.argv.slice(2);
if (folder === undefined || bootId === undefined) throw new Error("usage: story-agent.ts STATE BOOT");
const state = State.open(folder);
const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());
await runDaemon(
  {
    state,
    paths: pathsIn(folder),
    machine: { ...MACHINE, bootId },
    environment: environmentIn(folder, bootId),
    agent: AGENT,
    inventoryCommand: ["/bin/false"],
    now: () => Date.now(),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    draw: () => 0.1,
    network: () => DIRECTLY,
    supervisor: UNSUPERVISED,
    log: openLog("silent"),
  },
  stopping.signal,
);
state.close();
