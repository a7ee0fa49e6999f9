// A thread that writes the public status of a state again and again, as `bind` and a running agent may at one time.
import { workerData } from "node:worker_threads";
import { writePublicStatus } from "../../agent/binding/public-status.ts";
import { pathsIn } from "../../agent/paths.ts";
import { State } from "../../agent/state/state.ts";

const folder = String(workerData);
const state = State.open(folder);
for (let at = 1; at <= 200; at++) writePublicStatus(pathsIn(folder), state, at);
state.close();
