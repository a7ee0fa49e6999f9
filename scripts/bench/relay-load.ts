/** One relay under a thousand simulated devices: memory of an idle connection, all reconnecting at once, a job to a hundred. */
import { setTimeout as sleep } from "node:timers/promises";
import { Floors } from "./floors.ts";
import { digits, inMs, median, type Report, times } from "./numbers.ts";
import { figuresOf } from "./process-figures.ts";
import { Helper, Program } from "./programs.ts";
import { type Bench, Stage } from "./stage.ts";
import { rosterDevices, timeJobs } from "./timed-job.ts";

const DEVICES = 1000;
const TARGETS = 100;
const STORMS = 3;
const JOBS = 7;
const SETTLE_MS = 4000;
/** The relay stores the job and each receipt, the client each receipt's place in its chain. */
const COMMITS = 1 + 2 * TARGETS;

type Measured = { readonly kib: number; readonly floorKib: number; readonly storms: Storms; readonly jobs: number[] };
type Storms = { readonly atOnce: number[]; readonly admitted: number[]; readonly plain: number[] };

export async function relayLoad(bench: Bench): Promise<Report> {
  await using stage = await Stage.open(bench);
  const swarm = stage.own(new Helper(bench.bundles.swarm));
  await swarm.ask({ type: "make", package: stage.package, count: DEVICES });
  await swarm.ask({ type: "connect", url: stage.url, from: "127.0.0.1", atOnce: 20 });
  await stage.operator(DEVICES);
  await swarm.ask({ type: "drop" });
  const kib = await idleKib(stage, swarm);
  const { url, kib: floorKib } = await plainFloor(stage, swarm);
  const storms = await stormsOf(stage, swarm, url);
  const floors = await Floors.open(stage);
  const jobs = await jobsOf(stage, floors);
  return reportOf({ kib, floorKib, storms, jobs }, floors);
}

/** A fresh relay before and after everybody has logged in, so that nothing of the enrolment is counted. */
async function idleKib(stage: Stage, swarm: Helper): Promise<number> {
  const relay = await stage.startRelay();
  await sleep(SETTLE_MS);
  const before = figuresOf(relay.pid).privateBytes;
  await swarm.ask({ type: "connect", url: stage.url, from: "127.0.0.2", atOnce: 20 });
  await sleep(SETTLE_MS);
  return (figuresOf(relay.pid).privateBytes - before) / DEVICES / 1024;
}

async function plainFloor(stage: Stage, swarm: Helper): Promise<{ url: string; kib: number }> {
  const server = stage.own(new Program([stage.bench.bundles.echoServer], { log: stage.path("plain.log") }));
  const [, url = ""] = await server.line(/^echo at (\S+)$/m);
  const before = figuresOf(server.pid).privateBytes;
  await swarm.ask({ type: "open-plain", url, count: DEVICES });
  await sleep(SETTLE_MS);
  return { url, kib: (figuresOf(server.pid).privateBytes - before) / DEVICES / 1024 };
}

/** Each storm from an address of its own: the relay bounds how often one address may dial. */
async function stormsOf(stage: Stage, swarm: Helper, plainUrl: string): Promise<Storms> {
  const storms: Storms = { atOnce: [], admitted: [], plain: [] };
  for (let n = 0; n < STORMS; n++) {
    await dropAll(stage, swarm);
    storms.plain.push(await swarm.ask({ type: "open-plain", url: plainUrl, count: DEVICES }));
    await dropAll(stage, swarm);
    const { url } = stage;
    const connect = { type: "connect", url } as const;
    storms.admitted.push(await swarm.ask({ ...connect, from: `127.0.1.${n + 1}`, atOnce: 200 }));
    await dropAll(stage, swarm);
    storms.atOnce.push(await swarm.ask({ ...connect, from: `127.0.2.${n + 1}`, atOnce: DEVICES }));
  }
  return storms;
}

async function dropAll(stage: Stage, swarm: Helper): Promise<void> {
  await swarm.ask({ type: "drop" });
  await stage.waitForDevices(0);
}

async function jobsOf(stage: Stage, floors: Floors): Promise<number[]> {
  const unlocked = await stage.operator(DEVICES);
  const devices = rosterDevices(unlocked).slice(0, TARGETS);
  const took: number[] = [];
  for (let n = 0; n < JOBS; n++) {
    took.push(await timeJobs(unlocked, { devices, count: 1 }));
    await floors.sample();
  }
  return took;
}

function reportOf({ kib, floorKib, storms, jobs }: Measured, floors: Floors): Report {
  const plain = median(storms.plain);
  const commits = COMMITS * median(floors.of("commit"));
  const toPlain = (series: readonly number[]) => times(median(series), plain, "without a login");
  return {
    title: `relay: ${DEVICES} simulated devices in another process, one relay process`,
    rows: [
      {
        what: "private memory of an idle logged-in connection",
        value: `${digits(kib)} KiB`,
        ratio: times(kib, floorKib, "a bare `ws` server's"),
      },
      { what: "floor: of a bare `ws` connection", value: `${digits(floorKib)} KiB` },
      {
        what: "all reconnect at once, each with a signed login",
        value: inMs(storms.atOnce),
        ratio: toPlain(storms.atOnce),
      },
      { what: "the same, 200 in flight", value: inMs(storms.admitted), ratio: toPlain(storms.admitted) },
      { what: "floor: as many sockets opened at once, no login", value: inMs(storms.plain) },
      {
        what: `one job to ${TARGETS} devices: to the last verified receipt; all answered`,
        value: inMs(jobs),
        ratio: times(median(jobs), commits, `${COMMITS} commits`),
      },
      { what: `floor: ${COMMITS} SQLite commits, WAL, FULL`, value: `${digits(commits)} ms` },
    ],
    notes: [
      `${STORMS} storms, ${JOBS} jobs; devices sign logins and receipts with real keys, and run nothing`,
      "the swarm's own work, one login to sign a device, is in the storms' time: two processes share the cores",
    ],
  };
}
