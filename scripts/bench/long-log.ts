/** The key log at its longest on a device: judged whole, opened, and followed by one entry more. */
import { bind } from "../../agent/binding/bind.ts";
import { takeKeyEntries } from "../../agent/binding/key-follower.ts";
import { readMachine } from "../../agent/machine.ts";
import { readOwner } from "../../agent/binding/owner.ts";
import { OwnerState } from "../../agent/binding/owner-state.ts";
import { textOf } from "../../agent/state/row.ts";
import { State } from "../../agent/state/state.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { type AdmitKey, admitKey } from "../../protocol/key-admission.ts";
import { judgeEvent, judgeGenesis } from "../../protocol/key-log.ts";
import { MAX_KEY_EVENTS, RESERVED_KEY_EVENTS } from "../../protocol/limits.ts";
import { signerOf, verifySignature } from "../../protocol/signature.ts";
import { ADMITTED, LongTenant } from "../../test/cast/long-log.ts";
import { packageOf } from "../../test/cast/package.ts";
import { type Person, person } from "../../test/cast/person.ts";
import { Floors } from "./floors.ts";
import { digits, inMs, median, type Report, type Row, times } from "./numbers.ts";
import { timeToOutput } from "./programs.ts";
import { type Bench, Stage } from "./stage.ts";

/** The last place that a change of a key may take. */
const LAST_PLACE = MAX_KEY_EVENTS - RESERVED_KEY_EVENTS - 1;
/** Entries that are followed one by one at the end. */
const ROUNDS = 15;
/** Admission takes most of the time, and as much for each entry: a part of the log shows it. */
const ADMITTED_ENTRIES = 1_000;
/** Under each entry: the key before, the new one, its recovery key. */
const SIGNATURES = 3;

const SERVING = '"serving the owner"';
/** Nothing listens there: the agent serves its owner and goes on dialling. */
const NOWHERE = "ws://127.0.0.1:9";

export async function longLog(bench: Bench): Promise<Report> {
  await using stage = await Stage.open(bench);
  const tenant = new LongTenant();
  const others = [person("Dora", "admin"), person("Bob"), person("Cy")];
  for (const other of others) tenant.add(other);
  const people = tenant.changeKeys([tenant.founder, ...others], LAST_PLACE - ROUNDS);
  const folder = stage.path("long");
  using state = openedState(folder);
  bindTo(state.state, tenant, people);
  tenant.changeKeys(people, LAST_PLACE);
  const { log } = tenant;
  const took = {
    judged: judgeTimes(log, ADMITTED),
    admitted: judgeTimes(log.slice(0, ADMITTED_ENTRIES), admitKey),
    verify: verifyTimes(),
    opened: roundsOf(() => readOwner(state.state)),
    parsed: parseTimes(state.state),
    followed: followTimes(state.state, log.slice(-ROUNDS)),
    ...(await startTimes(stage, folder)),
  };
  const floors = await Floors.open(stage);
  for (let n = 0; n < ROUNDS; n++) await floors.sample();
  const size = Math.round(log.reduce((sum, { length }) => sum + length, 0) / log.length);
  return {
    title: `the key log at its longest: ${log.length} entries of ${size} bytes, two new keys each`,
    rows: [...judgingRows(took, log.length), ...openingRows(took, floors.of("commit"))],
    notes: [
      `the state as JSON has ${digits(jsonOf(state.state).length / 2 ** 20)} MiB`,
      `the last ${RESERVED_KEY_EVENTS} places are for revocations and closing`,
    ],
  };
}

type Took = Readonly<
  Record<"judged" | "admitted" | "verify" | "opened" | "parsed" | "followed" | "long" | "short", readonly number[]>
>;

function judgingRows({ judged, admitted, verify }: Took, entries: number): readonly Row[] {
  const quarter = Math.floor(judged.length / 4);
  const whole = judged.reduce((sum, ms) => sum + ms, 0);
  const row = (what: string, values: readonly number[]) => ({
    what,
    value: inMs(values),
    ratio: ratio(values, verify),
  });
  return [
    row("an entry judged, its keys admitted before: first quarter", judged.slice(0, quarter)),
    row("the same, last quarter", judged.slice(-quarter)),
    row("an entry judged, with admission", admitted),
    { what: `floor: ${SIGNATURES} signatures verified`, value: inMs(verify) },
    { what: "the whole log judged, keys admitted before", value: `${digits(whole / 1000)} s` },
    { what: "the same with admission, by its median", value: `${digits((median(admitted) * entries) / 1000)} s` },
  ];
}

function openingRows({ opened, parsed, followed, long, short }: Took, commit: readonly number[]): readonly Row[] {
  return [
    { what: "the owner read from the state", value: inMs(opened), ratio: ratio(opened, parsed) },
    { what: "floor: `JSON.parse` of its key log's state", value: inMs(parsed) },
    {
      what: "one entry more: judged with admission, and stored",
      value: inMs(followed),
      ratio: ratio(followed, commit),
    },
    { what: "floor: one SQLite commit of 1 KiB, WAL, FULL", value: inMs(commit) },
    {
      what: "**agent**, spawn to serving its owner (target 1,000 ms)",
      value: inMs(long),
      ratio: ratio(long, short),
    },
    { what: "floor: the same with a log of one entry", value: inMs(short) },
  ];
}

function ratio(values: readonly number[], floor: readonly number[]): string {
  return times(median(values), median(floor), "it");
}

function openedState(folder: string): Disposable & { readonly state: State } {
  const state = State.open(folder);
  return { state, [Symbol.dispose]: () => state.close() };
}

function bindTo(state: State, tenant: LongTenant, [admin]: readonly Person[]): void {
  const signers = admin === undefined ? [] : [admin.signer];
  const file = packageOf(tenant, { signers, deployment: { relays: [NOWHERE] } });
  bind(readPackage(file, ADMITTED), {
    state,
    machine: readMachine(tenant.clock.now),
    agent: { text: "bench", number: 1 },
    consent: { trust: undefined, rebind: false, confirmed: true },
    now: tenant.clock.now,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  });
}

function judgeTimes(log: readonly Uint8Array[], admit: AdmitKey): readonly number[] {
  const [genesis = new Uint8Array(0), ...later] = log;
  let { state } = judgeGenesis(genesis, admit);
  return later.map((bytes) => timeOf(() => void ({ state } = judgeEvent(state, bytes, admit))));
}

function verifyTimes(): readonly number[] {
  const signer = signerOf(new Uint8Array(32));
  const message = new Uint8Array(700);
  const given = { publicKey: signer.publicKey, message, signature: signer.sign(message) };
  const verifyAll = () => Array.from({ length: SIGNATURES }, () => verifySignature(given));
  return Array.from({ length: 200 }, () => timeOf(verifyAll));
}

function parseTimes(state: State): readonly number[] {
  const json = jsonOf(state);
  return roundsOf(() => JSON.parse(json));
}

function jsonOf(state: State): string {
  return textOf(state.get("SELECT key_state FROM owner") ?? {}, "key_state");
}

/** Each entry by itself, as it comes while the device is connected. */
function followTimes(state: State, entries: readonly Uint8Array[]): readonly number[] {
  const owner = readOwner(state);
  if (owner === undefined) throw new Error("not bound");
  const owned = new OwnerState(state, owner);
  return entries.map((bytes) => timeOf(() => takeKeyEntries(owned, { entries: [bytes], admit: admitKey, now: 1 })));
}

async function startTimes(stage: Stage, folder: string): Promise<Pick<Took, "long" | "short">> {
  const [long, short]: [number[], number[]] = [[], []];
  const small = await stage.boundAgent("short");
  for (let n = 0; n < ROUNDS; n++) {
    long.push(await timeToOutput([stage.bench.bundles.agent, "run", "--state", folder], SERVING));
    short.push(await timeToOutput(small, SERVING));
  }
  return { long, short };
}

function roundsOf(work: () => unknown): readonly number[] {
  return Array.from({ length: ROUNDS }, () => timeOf(work));
}

function timeOf(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
