// A device's jobs with a clock that steps, as a program that kills itself at its n-th look at a commit: `fault-rounds.ts STATE N`,
// with N 0 never. The state is bound already; the job that comes round lies beside it. Ends when nothing is left to come.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { randomBytes } from "node:crypto";
import pino from "pino";
import { Jobs } from "../../agent/jobs/jobs.ts";
import { readOwner } from "../../agent/binding/owner.ts";
import { OwnerState } from "../../agent/binding/owner-state.ts";
import { State } from "../../agent/state/state.ts";
import { AGENT, environmentIn, MACHINE } from "./machine.ts";

const [folder = "", count = "0"] = process.argv.slice(2);
const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
let seen = 0;
const state = State.open(folder, () => {
  seen += 1;
  if (seen === Number(count)) process.kill(process.pid, "SIGKILL");
});
const owner = readOwner(state);
if (owner === undefined) throw new Error("not bound");
const clockFile = join(folder, "clock");
let now = Number(readFileSync(clockFile, "utf8"));
const jobs = new Jobs({
  owned: new OwnerState(state, owner),
  environment: environmentIn(folder),
  bootId: MACHINE.bootId,
  agent: AGENT,
  now: () => now,
  random: (bytes) => new Uint8Array(randomBytes(bytes)),
  log: pino({ level: "silent" }),
  connection: () => undefined,
  onReceipt: () => undefined,
  onFault: (error) => {
    throw error;
  },
});
await jobs.recover();
jobs.receive({ envelope: read("job"), wrap: read("wrap"), body: read("body") }, { watched: false, asked: false });
// Half an occurrence each step: in every second one nothing is due. The clock is kept, as a machine's is over a crash.
while (state.get("SELECT 1 FROM ledger WHERE state <> 'finished'") !== undefined) {
  while (jobs.running > 0) await sleep(2);
  now += 30 * 60_000;
  writeFileSync(clockFile, String(now));
  jobs.keysChanged();
}
await jobs.stop("agent-stop");
state.close();
