// The agent's daemon as a program that kills itself at its n-th look at a commit: `fault-agent.ts STATE N`, with N 0 never.
import { randomBytes } from "node:crypto";
import { DIRECTLY } from "../../agent/connection/network.ts";
import { runDaemon } from "../../agent/daemon.ts";
import { pathsIn } from "../../agent/paths.ts";
import { openLog } from "../../agent/service/log.ts";
import { UNSUPERVISED } from "../../agent/service/supervisor.ts";
import { State } from "../../agent/state/state.ts";
import { AGENT, environmentIn, MACHINE } from "./machine.ts";

const [folder, count] = process.argv.slice(2);
if (folder === undefined || count === undefined) throw new Error("usage: fault-agent.ts STATE N");
const last = Number(count);
let seen = 0;
const state = State.open(folder, () => {
  seen += 1;
  if (seen === last) process.kill(process.pid, "SIGKILL");
});
const stopping = new AbortController();
process.once("SIGTERM", () => stopping.abort());
await runDaemon(
  {
    state,
    paths: pathsIn(folder),
    machine: MACHINE,
    environment: environmentIn(folder),
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
