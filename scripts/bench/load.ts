/** A thousand jobs to one device, and fifty to each of two hundred: all answered exactly once, and the memory that it took. */
import { mkdirSync } from "node:fs";
import type { Unlocked } from "../../operator/unlock/unlock.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { digits, type Report } from "./numbers.ts";
import { peakBytesOf } from "./process-figures.ts";
import { Helper } from "./programs.ts";
import { type Bench, Stage } from "./stage.ts";
import { rosterDevices, timeJobs } from "./timed-job.ts";

const THOUSAND = 1000;
const PROCESSES = 10;
const AGENTS_EACH = 20;
const JOBS_EACH = 50;
const PATIENCE_MS = 600_000;
const MIB = 1024 * 1024;

type Measured = { readonly ms: number; readonly relay: number; readonly agents: readonly number[] };

export async function load(bench: Bench): Promise<Report> {
  const one = await toOne({ ...bench, folder: `${bench.folder}/one` });
  const many = await toMany({ ...bench, folder: `${bench.folder}/many` });
  return {
    title: "load: many jobs at one time",
    rows: [
      { what: `${THOUSAND} jobs to one agent, sent together: all answered once`, ...timeOf(one, THOUSAND) },
      { what: "peak RSS of relay, agent", value: `${mib(one.relay)}, ${one.agents.map(mib).join(", ")} MiB` },
      {
        what: `${JOBS_EACH} jobs to each of ${PROCESSES * AGENTS_EACH} agents: all answered once`,
        ...timeOf(many, PROCESSES * AGENTS_EACH * JOBS_EACH),
      },
      { what: "peak RSS of the relay", value: `${mib(many.relay)} MiB` },
      {
        what: `peak RSS of a process with ${AGENTS_EACH} agents`,
        value: `${mib(Math.min(...many.agents))} to ${mib(Math.max(...many.agents))} MiB`,
      },
    ],
    notes: [
      "a receipt too many or too few ends the bench with an error",
      "the two hundred are the agent's own code, 20 in a process, each with its state, identity and connection; no inventory",
    ],
  };
}

async function toOne(bench: Bench): Promise<Measured> {
  mkdirSync(bench.folder);
  await using stage = await Stage.open(bench);
  const agent = await stage.agent("agent");
  const unlocked = await stage.operator(1);
  const ms = await timeJobs(unlocked, { devices: rosterDevices(unlocked), count: THOUSAND, patienceMs: PATIENCE_MS });
  await expectOnce(unlocked, THOUSAND);
  return { ms, relay: peakBytesOf(stage.relay.pid), agents: [peakBytesOf(agent.pid)] };
}

async function toMany(bench: Bench): Promise<Measured> {
  mkdirSync(bench.folder);
  await using stage = await Stage.open(bench);
  const helpers = Array.from({ length: PROCESSES }, () => stage.own(new Helper(bench.bundles.crowd)));
  for (const [n, helper] of helpers.entries()) {
    const folder = stage.path(`crowd-${n}`);
    await helper.ask({ type: "start", package: stage.package, count: AGENTS_EACH, folder });
  }
  await stage.waitForDevices(PROCESSES * AGENTS_EACH);
  const unlocked = await stage.operator(PROCESSES * AGENTS_EACH);
  const devices = rosterDevices(unlocked);
  const ms = await timeJobs(unlocked, { devices, count: JOBS_EACH, patienceMs: PATIENCE_MS });
  await expectOnce(unlocked, JOBS_EACH);
  return { ms, relay: peakBytesOf(stage.relay.pid), agents: helpers.map(({ child }) => peakBytesOf(child.pid ?? 0)) };
}

/** Each device has one receipt for each of so many different jobs, and none besides. */
async function expectOnce(unlocked: Unlocked, count: number): Promise<void> {
  for (const device of rosterDevices(unlocked)) {
    const jobs = await answeredJobs(unlocked, device);
    if (jobs.length === count && new Set(jobs).size === count) continue;
    throw new Error(`${device.name}: ${jobs.length} receipts for ${new Set(jobs).size} jobs, expected ${count}`);
  }
}

async function answeredJobs({ session }: Unlocked, { device, sig }: RosterDevice): Promise<readonly string[]> {
  const jobs: string[] = [];
  for (;;) {
    const ask = { type: "list-receipts", device, from: jobs.length + 1 };
    const { header, parts } = await session.client.ask("receipts", ask);
    jobs.push(...parts.map((bytes) => readReceipt(bytes, { sig, tenant: session.state.tenant }).receipt.job));
    if (!header.more) return jobs;
  }
}

function timeOf({ ms }: Measured, count: number): { readonly value: string; readonly ratio: string } {
  return { value: `${digits(ms / 1000)} s`, ratio: `${digits((count * 1000) / ms)} jobs/s` };
}

function mib(bytes: number): string {
  return digits(bytes / MIB);
}
