// Leaving as a program that kills itself at its n-th look at a commit: `fault-leave.ts STATE N`, with N 0 never.
import pino from "pino";
import { leave } from "../../agent/binding/leave.ts";
import { DIRECTLY } from "../../agent/connection/network.ts";
import { readMachine } from "../../agent/machine.ts";
import { pathsIn } from "../../agent/paths.ts";
import { State } from "../../agent/state/state.ts";
import { AGENT } from "./machine.ts";

const [folder, count] = process.argv.slice(2);
if (folder === undefined || count === undefined) throw new Error("usage: fault-leave.ts STATE N");
let seen = 0;
const state = State.open(folder, () => {
  seen += 1;
  if (seen === Number(count)) process.kill(process.pid, "SIGKILL");
});
await leave({
  state,
  paths: pathsIn(folder),
  machine: readMachine(0),
  agent: AGENT,
  now: () => Date.now(),
  network: () => DIRECTLY,
  log: pino({ level: "silent" }),
});
state.close();
