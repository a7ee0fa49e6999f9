// An agent is killed while a job runs: what the job left is ended before anybody is told that it is lost.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { readMachine } from "../../../agent/machine.ts";
import { readReceipt } from "../../../protocol/receipt.ts";
import { jobFor } from "../../cast/job.ts";
import { Tenant } from "../../cast/tenant.ts";
import { until } from "../../e2e/program.ts";
import { AgentProcess, systemClock } from "../agent-process.ts";
import { folder } from "../bound.ts";
import { SmallRelay } from "../small-relay.ts";
import { containmentOf, isRunning, WAYS } from "./hostile-job.ts";

const { bootId } = readMachine(0);
/** A daemon that left group and session, deaf to SIGTERM, and the shell that made it. Both end by themselves. */
const SCRIPT = `echo $$; setsid sh -c 'trap "" TERM; echo $$; sleep 20' & sleep 20`;

async function killedAgent(at: number, running: string): Promise<readonly number[]> {
  const script = join(import.meta.dirname, "crashing-agent.ts");
  const agent = spawn(process.execPath, [script, String(at), running, SCRIPT], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void agent.kill("SIGKILL"));
  let said = "";
  agent.stdout.on("data", (bytes: Buffer) => (said += bytes.toString()));
  await until(() => said.split("\n").length > 2, "two pids");
  agent.kill("SIGKILL");
  await once(agent, "exit");
  return said.trim().split("\n").map(Number);
}

describe.each(WAYS.map((way, at) => ({ ...way, at })))("held by $name", (way) => {
  it("what a killed agent left running is ended by the next", async () => {
    const running = join(folder(), "running");
    const pids = await killedAgent(way.at, running);
    expect(pids.map(isRunning)).toEqual([true, true]);
    const next = containmentOf(way, running);
    const known = await next.endFormer([{ job: "job", bootId }]);
    expect({ known: known.get("job"), alive: pids.filter(isRunning), notes: readdirSync(running) }).toEqual({
      known: way.versions.length > 0 ? "yes" : "unknown",
      alive: [],
      notes: [],
    });
  });
});

const ALONE = WAYS[3];
if (ALONE === undefined) throw new Error("no way");

it("nothing is signalled for a note of another boot", async () => {
  const running = join(folder(), "running");
  const bystander = spawn("/bin/sleep", ["20"]);
  onTestFinished(() => void bystander.kill("SIGKILL"));
  const startedAt = Number(readFileSync(`/proc/${bystander.pid}/stat`, "latin1").split(" ")[21]);
  const leader = { pid: bystander.pid, startedAt };
  noteIn(running, { bootId: "another boot", run: "1-1-1", groups: [], leader });
  const known = await containmentOf(ALONE, running).endFormer([{ job: "job", bootId: "another boot" }]);
  expect({ known: known.get("job"), isRunning: isRunning(bystander.pid ?? 0) }).toEqual({
    known: "yes",
    isRunning: true,
  });
});

it("nothing is signalled that has the pid of a job's first process and began at another time", async () => {
  const running = join(folder(), "running");
  const bystander = spawn("/bin/sleep", ["20"]);
  onTestFinished(() => void bystander.kill("SIGKILL"));
  noteIn(running, { bootId, run: "1-1-1", groups: [], leader: { pid: bystander.pid, startedAt: 1 } });
  await containmentOf(ALONE, running).endFormer([{ job: "job", bootId }]);
  expect(isRunning(bystander.pid ?? 0)).toBe(true);
});

function noteIn(running: string, note: object): void {
  mkdirSync(running, { recursive: true });
  writeFileSync(join(running, "job"), JSON.stringify(note));
}

it("an agent that was killed and started again says lost only when nothing runs any more", async () => {
  const acme = new Tenant({ clock: systemClock() });
  const relay = await SmallRelay.open([acme]);
  const agent = new AgentProcess();
  agent.bound(acme, { deployment: { relays: [relay.url] } });
  const { device } = agent;
  const first = agent.run();
  await until(() => relay.devices.length === 1, "a login");
  const file = join(agent.folder, "pids");
  const job = jobFor({ tenant: acme, devices: [device], word: "crash", body: { source: `exec > ${file}; ${SCRIPT}` } });
  const { wrap, body } = job.sealedFor(device);
  relay.push(device.id, { type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]);
  await until(() => pidsIn(file).length === 2, "two pids");
  await first.end("SIGKILL");
  agent.run();
  const receipt = () => relay.said.find(({ header }) => header["type"] === "receipt");
  await until(() => receipt() !== undefined, "a receipt");
  const { parts, sig, tenant } = receipt() ?? { parts: [], sig: "", tenant: "" };
  const read = readReceipt(parts[0] ?? new Uint8Array(0), { sig, tenant });
  expect(read.receipt).toMatchObject({ outcome: { type: "lost" }, contained: "yes" });
  expect(pidsIn(file).filter(isRunning)).toEqual([]);
});

function pidsIn(file: string): readonly number[] {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number) : [];
}
