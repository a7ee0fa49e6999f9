/** How long a signed job takes on held connections: to its first output, and to its verified receipt. */
import { setTimeout as sleep } from "node:timers/promises";
import { Floors } from "./floors.ts";
import { digits, inMs, median, type Report, type Row, times } from "./numbers.ts";
import { type Bench, Stage } from "./stage.ts";
import { rosterDevices, type Stamps, timeJob } from "./timed-job.ts";

const WARM_UP = 30;
const ROUNDS = 200;
/** After a job the device still records that its receipt is stored: neither the floors nor the next job shall share that. */
const PAUSE_MS = 10;
/** Submit, claim, finish, receipt, and the client's record of the receipt chain: each synced before the next step. */
const COMMITS = 5;
/** Client to relay to device, and back the same way. */
const ROUND_TRIPS = 2;
/** Client signs the job, device the receipt; device checks the job, relay and client the receipt. */
const CRYPTO = { sign: 2, verify: 3, wrap: 7, unwrap: 3 } as const;

export async function jobLatency(bench: Bench): Promise<Report> {
  await using stage = await Stage.open(bench);
  await stage.agent("agent");
  const floors = await Floors.open(stage);
  const unlocked = await stage.operator(1);
  const [device] = rosterDevices(unlocked);
  if (device === undefined) throw new Error("no device");
  for (let n = 0; n < WARM_UP; n++) await timeJob(unlocked, device);
  const stamps: Stamps[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    stamps.push(await timeJob(unlocked, device));
    await sleep(PAUSE_MS);
    await floors.sample();
  }
  return reportOf(stamps, floors);
}

function reportOf(stamps: readonly Stamps[], floors: Floors): Report {
  const of = (name: keyof Stamps) => stamps.map((one) => one[name]);
  const commit = median(floors.of("commit"));
  const sum = ROUND_TRIPS * median(floors.of("webSocket")) + COMMITS * commit + median(floors.of("spawn"));
  const crypto = cryptoSum(floors);
  const all = sum + crypto;
  const toSum = (name: keyof Stamps) => times(median(of(name)), sum, "the sum");
  return {
    title: `job: \`echo hello\`, one device, connections held, ${ROUNDS} rounds`,
    rows: [
      { what: "send to first output byte", value: inMs(of("firstOutput")), ratio: toSum("firstOutput") },
      { what: "send to receipt, unverified", value: inMs(of("receipt")), ratio: toSum("receipt") },
      {
        what: "**send to verified receipt**",
        value: inMs(of("verified")),
        ratio: `**${toSum("verified")}** (target 3)`,
      },
      { what: `floor: WebSocket round trip, 1 KiB (${ROUND_TRIPS} on the way)`, value: inMs(floors.of("webSocket")) },
      { what: `floor: SQLite commit, WAL, FULL (${COMMITS} on the way)`, value: inMs(floors.of("commit")) },
      { what: "floor: the same script spawned by a small Node (1)", value: inMs(floors.of("spawn")) },
      { what: "**sum of these floors**", value: `${digits(sum)} ms` },
      ...cryptoRows(floors),
      {
        what: "sum with signatures and HPKE",
        value: `${digits(all)} ms`,
        ratio: times(median(of("verified")), all, "it"),
      },
      ...breakdown(stamps),
    ],
    notes: [
      "relay and agent are the bundles of dist/ in processes of their own; the client runs operator/ from source, with key and connection held",
      "send is before the body is sealed and the manifest signed",
      "synced commits on the way: relay stores the job, device claims it, device writes receipt and outbox, relay stores the receipt, client records the receipt chain; the relay also commits `taken` and the result without a sync",
    ],
  };
}

function cryptoSum(floors: Floors): number {
  const { sign, verify, wrap, unwrap } = CRYPTO;
  const signatures = sign * median(floors.of("sign")) + verify * median(floors.of("verify"));
  return signatures + wrap * median(floors.of("wrap")) + unwrap * median(floors.of("unwrap"));
}

function cryptoRows(floors: Floors): readonly Row[] {
  return [
    { what: `floor: Ed25519 sign, 1 KiB (${CRYPTO.sign})`, value: inMs(floors.of("sign")) },
    { what: `floor: Ed25519 verify, 1 KiB (${CRYPTO.verify})`, value: inMs(floors.of("verify")) },
    {
      what: `floor: HPKE wrap (${CRYPTO.wrap}: 3 in the job, 2 live, 2 in the result)`,
      value: inMs(floors.of("wrap")),
    },
    { what: `floor: HPKE unwrap (${CRYPTO.unwrap})`, value: inMs(floors.of("unwrap")) },
  ];
}

/** Where the time goes, by what the client hears. */
function breakdown(stamps: readonly Stamps[]): readonly Row[] {
  const between = (from: (one: Stamps) => number, to: keyof Stamps) => inMs(stamps.map((one) => one[to] - from(one)));
  return [
    { what: "part: client seals and signs", value: between(() => 0, "composed") },
    { what: "part: to the relay, stored, confirmed", value: between(({ composed }) => composed, "stored") },
    {
      what: "part: to the device, verified, claimed, heard as `taken`",
      value: between(({ stored }) => stored, "taken"),
    },
    { what: "part: until the first output byte is opened", value: between(({ taken }) => taken, "firstOutput") },
    { what: "part: until the receipt has come", value: between(({ firstOutput }) => firstOutput, "receipt") },
    {
      what: "part: client checks, records, fetches and opens the output",
      value: between(({ receipt }) => receipt, "verified"),
    },
  ];
}
