// Binding as a program that kills itself at its n-th look at a commit: `fault-bind.ts STATE N PACKAGE PIN`, with N 0 never.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { bind } from "../../agent/binding/bind.ts";
import { State } from "../../agent/state/state.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { AGENT, MACHINE } from "./machine.ts";

const [folder, count, file, trust] = process.argv.slice(2);
if (folder === undefined || count === undefined || file === undefined)
  throw new Error("usage: fault-bind.ts STATE N PACKAGE PIN");
const last = Number(count);
let seen = 0;
const state = State.open(folder, () => {
  seen += 1;
  if (seen === last) process.kill(process.pid, "SIGKILL");
});
bind(readPackage(readFileSync(file), admitKey), {
  state,
  machine: MACHINE,
  agent: AGENT,
  consent: { trust, rebind: false, confirmed: false },
  now: Date.now(),
  random: (bytes) => new Uint8Array(randomBytes(bytes)),
});
state.close();
