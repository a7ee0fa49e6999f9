// A relay as a program that kills itself at its n-th look at a commit: `fault-relay.ts FOLDER N`, with N 0 never.
import { randomBytes } from "node:crypto";
import { startRelay } from "../../relay/start.ts";
import { Clock } from "../cast/clock.ts";

const [folder, count] = process.argv.slice(2);
if (folder === undefined || count === undefined) throw new Error("usage: fault-relay.ts FOLDER N");
const last = Number(count);
let seen = 0;

const relay = await startRelay({
  folder,
  listen: { host: "127.0.0.1", port: 0 },
  now: () => new Clock().now,
  ticks: () => performance.now(),
  random: (bytes) => new Uint8Array(randomBytes(bytes)),
  log: { info: () => undefined, warn: () => undefined, error: (fields, message) => console.error(message, fields) },
  observe: () => {
    seen += 1;
    if (seen === last) process.kill(process.pid, "SIGKILL");
  },
});
console.log(JSON.stringify({ url: relay.url, claimCode: relay.claimCode }));
