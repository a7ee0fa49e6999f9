// Whatever happens to an agent and its jobs, in any order: each job it took has one outcome, ran once at most, and is over.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Arbitrary,
  array,
  assert,
  asyncProperty,
  constant,
  constantFrom,
  integer,
  oneof,
  record,
} from "fast-check";
import { expect, it } from "vitest";
import { pathsIn } from "../../agent/paths.ts";
import { State } from "../../agent/state/state.ts";
import { checkReceiptChain, type Receipt } from "../../protocol/receipt.ts";
import type { Device } from "../cast/device.ts";
import { type Job, jobFor, type JobSetup } from "../cast/job.ts";
import { contentOf, fileFor } from "../cast/job-file.ts";
import { Tenant } from "../cast/tenant.ts";
import { until } from "../e2e/program.ts";
import { systemClock } from "./agent-process.ts";
import { bindTo, deviceOf, receiptsOf } from "./bound.ts";
import { isRunning } from "./hostile/hostile-job.ts";
import { SmallRelay } from "./small-relay.ts";

/** Each writes its pid as its first act, and ends by itself within twenty seconds. */
const KINDS = {
  quick: { source: "echo $$ >> MARKS" },
  talker: { source: "echo $$ >> MARKS; yes | head -c 3000000", limits: { timeMs: 20_000, outputBytes: 1_000 } },
  noisy: {
    source: "echo $$ >> MARKS; yes & sleep 20",
    limits: { timeMs: 20_000, outputBytes: 10, endAtOutputBytes: 5_000 },
  },
  long: { source: "echo $$ >> MARKS; sleep 20" },
  limited: { source: "echo $$ >> MARKS; sleep 20", limits: { timeMs: 150, outputBytes: 10 } },
  daemon: { source: "setsid sh -c 'echo $$ >> MARKS; sleep 20' & sleep 0.2" },
  rebooting: { source: "echo $$ >> MARKS; sleep 20", mayReboot: true },
  locked: { source: "echo $$ >> MARKS; sleep 0.3", lock: "apt" },
  killed: { source: "echo $$ >> MARKS; kill -9 $$" },
  bringing: { source: 'test -s "$KEYBOUND_FILES/patch.bin" && echo $$ >> MARKS; sleep 0.2', brings: true },
  fetching: { source: "", fetches: true },
} as const;

type Kind = NonNullable<JobSetup["body"]> & {
  readonly source: string;
  readonly brings?: boolean;
  readonly fetches?: boolean;
};

const names = [
  "quick",
  "talker",
  "noisy",
  "long",
  "limited",
  "daemon",
  "rebooting",
  "locked",
  "killed",
  "bringing",
  "fetching",
] as const;
const event = oneof(
  {
    weight: 6,
    arbitrary: record({
      type: constant("job" as const),
      kind: constantFrom(...names),
      ms: integer({ min: 0, max: 80 }),
    }),
  },
  { weight: 1, arbitrary: record({ type: constantFrom("again" as const, "stop" as const) }) },
  { weight: 2, arbitrary: record({ type: constantFrom("crash" as const, "reboot" as const) }) },
  { weight: 2, arbitrary: record({ type: constant("wait" as const), ms: integer({ min: 0, max: 300 }) }) },
);
type Event = typeof event extends Arbitrary<infer T> ? T : never;

let stories = 0;

class Story {
  readonly #folder = mkdtempSync(join(tmpdir(), "keybound-story-"));
  readonly #path = join(this.#folder, "state");
  readonly #fetched = join(this.#folder, "fetched");
  readonly #acme: Tenant;
  readonly #relay: SmallRelay;
  readonly #device: Device;
  readonly #jobs: Job[] = [];
  #boot = 1;
  #agent: ChildProcess | undefined;

  private constructor(acme: Tenant, relay: SmallRelay) {
    writeFileSync(this.#fetched, contentOf(1_000_000));
    this.#acme = acme;
    this.#relay = relay;
    this.#device = this.#look((state) => {
      bindTo(state, acme, { deployment: { relays: [relay.url] } });
      return deviceOf(state);
    });
  }

  static async begin(): Promise<Story> {
    const acme = new Tenant({ name: `Acme ${stories++}`, clock: systemClock() });
    const story = new Story(acme, await SmallRelay.open([acme]));
    await story.#start();
    return story;
  }

  async tell(told: Event): Promise<void> {
    if (told.type === "job") {
      this.#send(this.#make(told.kind));
      await sleep(told.ms);
    }
    if (told.type === "again") this.#jobs.forEach((job) => this.#send(job));
    if (told.type === "wait") await sleep(told.ms);
    if (told.type === "stop" || told.type === "crash" || told.type === "reboot") {
      const agent = this.#agent?.pid;
      await this.#end(told.type === "stop" ? "SIGTERM" : "SIGKILL");
      if (told.type === "reboot" && agent !== undefined) await this.#reboot(agent);
      await this.#start();
    }
  }

  /** The agent once more, so that it answers what it owes; then what stands on the disk. */
  async finish() {
    await this.#end("SIGKILL");
    await this.#start();
    await this.#end("SIGTERM");
    return this.#look((state) => ({
      ledger: state.all("SELECT job, state FROM ledger"),
      receipts: receiptsOf(state),
      marks: new Map(this.#jobs.map(({ job }) => [job, this.#marksOf(job)])),
      placed: listed(pathsIn(this.#path).placed),
      sealed: listed(pathsIn(this.#path).files),
    }));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #make(kind: (typeof names)[number]): Job {
    const word = `story ${stories} ${this.#jobs.length}`;
    const file = join(this.#folder, `marks ${this.#jobs.length}`);
    const { source, brings = false, fetches = false, ...body }: Kind = KINDS[kind];
    const marked = { ...body, source: source.replaceAll("MARKS", `"${file}"`) };
    const files = brings ? { files: [this.#file()] } : {};
    const work = fetches ? { fetches: this.#fetched } : { body: { ...marked, ...files } };
    const job = jobFor({ tenant: this.#acme, devices: [this.#device], word, ...work });
    this.#jobs.push(job);
    return job;
  }

  /** Of several parts, and the relay has it. */
  #file() {
    const { file, sealed } = fileFor({ content: contentOf(600_000) });
    this.#relay.blobs.set(file.blob, sealed);
    return file;
  }

  #send(job: Job): void {
    const { wrap, body } = job.sealedFor(this.#device);
    this.#relay.push(this.#device.id, { type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]);
  }

  #marksOf(job: string): readonly number[] {
    const file = join(this.#folder, `marks ${this.#jobs.findIndex((one) => one.job === job)}`);
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").map(Number) : [];
  }

  async #start(): Promise<void> {
    const before = this.#relay.logins.length;
    const program = join(import.meta.dirname, "story-agent.ts");
    this.#agent = spawn(process.execPath, [program, this.#path, `boot ${this.#boot}`], { stdio: "ignore" });
    await until(() => this.#relay.logins.length > before, "a login");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#agent === undefined) return;
    const ended = once(this.#agent, "exit");
    this.#agent.kill(signal);
    await ended;
    this.#agent = undefined;
  }

  /** Nothing outlives a reboot, also not what the agent had spawned a moment before and what has not come to its first act. */
  async #reboot(agent: number): Promise<void> {
    this.#boot += 1;
    for (let quiet = 0; quiet < 3; ) {
      const left = startedBy(agent);
      for (const pid of left) killUnlessGone(pid);
      quiet = left.length === 0 ? quiet + 1 : 0;
      await sleep(30);
    }
  }

  #look<T>(at: (state: State) => T): T {
    const state = State.open(this.#path);
    try {
      return at(state);
    } finally {
      state.close();
    }
  }
}

/** The living processes of its jobs, by the variable that each has of it. */
function startedBy(agent: number): readonly number[] {
  const pids = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  return pids.map(Number).filter((pid) => isRunning(pid) && environmentOf(pid).includes(`KEYBOUND_RUN=${agent}-`));
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    // It ended between the two looks.
    return "";
  }
}

function killUnlessGone(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function listed(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

type Ended = Awaited<ReturnType<Story["finish"]>>;

/** What is wrong with it; nothing, if each job has one outcome, ran once at most, and is over. */
function faultsOf({ ledger, receipts, marks, placed, sealed }: Ended): readonly string[] {
  const answers = Map.groupBy(receipts, ({ receipt }) => receipt.job);
  const counted = ledger.flatMap(({ job, state }) => {
    const count = answers.get(String(job))?.length ?? 0;
    return count === (state === "finished" ? 1 : 0)
      ? []
      : [`job ${String(job)} is ${String(state)} with ${count} receipts`];
  });
  const strangers = [...answers.keys()].filter((job) => !ledger.some((row) => row["job"] === job));
  const ran = [...marks].flatMap(([job, pids]) => (pids.length > 1 ? [`job ${job} ran ${pids.length} times`] : []));
  const early = ledger.filter(({ job, state }) => state === "waiting" && (marks.get(String(job)) ?? []).length > 0);
  const alive = [...marks].flatMap(([job, pids]) => pids.filter(isRunning).map((pid) => `${pid} of ${job} still runs`));
  const left = sealed.filter((name) => !ledger.some(({ job, state }) => job === name && state === "waiting"));
  return [
    ...counted,
    ...strangers,
    ...ran,
    ...early.map(({ job }) => `${String(job)} ran and waits`),
    ...alive,
    ...[...placed, ...left].map((name) => `files of ${name} are left`),
  ];
}

function breaksChain(receipts: readonly { receipt: Receipt; id: string }[]): boolean {
  receipts.slice(1).forEach(({ receipt }, at) => {
    const before = receipts[at];
    if (before !== undefined) checkReceiptChain({ seq: before.receipt.seq, id: before.id }, receipt);
  });
  return false;
}

const RUNS = 12;
const seen = new Map<string, number>();

it(`any of ${RUNS} stories ends with one outcome for each job, run once at most`, async () => {
  const property = asyncProperty(array(event, { minLength: 6, maxLength: 14, size: "max" }), async (events) => {
    const story = await Story.begin();
    try {
      for (const told of events) await story.tell(told);
      const ended = await story.finish();
      for (const { receipt } of ended.receipts)
        seen.set(receipt.outcome.type, (seen.get(receipt.outcome.type) ?? 0) + 1);
      expect({ faults: faultsOf(ended), breaks: breaksChain(ended.receipts) }).toEqual({ faults: [], breaks: false });
    } finally {
      story.remove();
    }
  });
  await assert(property, { numRuns: RUNS, endOnFailure: true });
  console.log(`outcomes: ${[...seen].map(([type, count]) => `${type} ${count}`).join(", ")}`);
});
