// Jobs that stop the agent that runs them: each has its one receipt, also when the relay is away at that moment.
import { existsSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Device } from "../cast/device.ts";
import { type Receipt, readReceipt } from "../../protocol/receipt.ts";
import { raw } from "../cast/person.ts";
import { Desk, Estate } from "./estate.ts";
import type { Program } from "./program.ts";
import { until } from "./program.ts";

let estate: Estate;
beforeAll(async () => {
  estate = await Estate.open();
});
afterAll(() => estate[Symbol.asyncDispose]());

let count = 0;

async function atWork() {
  const name = `self${count++}`;
  const tenant = await estate.found(name);
  await estate.bind(name, tenant);
  const agent = await estate.agent(name);
  const desk = await Desk.open(estate, tenant);
  return { name, tenant, agent, desk, device: await desk.device() };
}

/** Everything that the device has answered, read anew from the relay. */
async function receipts({ client, tenant }: Desk, { id, signer }: Device): Promise<readonly Receipt[]> {
  const { parts } = await client.request({ type: "list-receipts", device: id, from: 1 });
  return parts.map((bytes) => readReceipt(bytes, { sig: raw(signer), tenant: tenant.id }).receipt);
}

const stopping = (agent: Program, signal: string) => `echo begun; kill -${signal} ${agent.child.pid}; sleep 60\n`;

describe("a job that stops its own agent", () => {
  it("is cancelled by that stop, and its receipt arrives before the agent is gone", async () => {
    const { agent, desk, device } = await atWork();
    const job = await desk.send(device, stopping(agent, "TERM"));
    const receipt = await desk.receipt(device, job);
    expect(await agent.ended()).toBe(0);
    expect(receipt.outcome).toEqual({ type: "cancelled", by: "agent-stop" });
    const [stdout] = await desk.output(device, receipt);
    expect(new TextDecoder().decode(stdout?.head)).toBe("begun\n");
    await desk[Symbol.asyncDispose]();
  });

  it("while the relay is away is answered once after the next start, and does not run again", async () => {
    const { name, tenant, agent, desk, device } = await atWork();
    const gate = estate.path(`gate-${name}`);
    const trace = estate.path(`trace-${name}`);
    const job = await desk.send(
      device,
      `echo ran >> ${trace}; while [ ! -e ${gate} ]; do sleep 0.05; done; ${stopping(agent, "TERM")}`,
    );
    await until(() => existsSync(trace), "the job to start");
    await desk[Symbol.asyncDispose]();
    await estate.relay.end();
    writeFileSync(gate, "");
    expect(await agent.ended()).toBe(0);
    await estate.startRelay();
    const again = await estate.agent(name);
    await using later = await Desk.open(estate, tenant);
    await until(async () => (await receipts(later, device)).length > 0, "the receipt");
    await again.end();
    expect((await receipts(later, device)).map((one) => [one.job, one.outcome])).toEqual([
      [job.job, { type: "cancelled", by: "agent-stop" }],
    ]);
    expect(estate.lines(`trace-${name}`)).toEqual(["ran"]);
  });

  it("by SIGKILL is lost, once, and does not run again", async () => {
    const { name, agent, desk, device } = await atWork();
    const trace = estate.path(`trace-${name}`);
    const job = await desk.send(device, `echo ran >> ${trace}; ${stopping(agent, "KILL").replace("sleep 60", "exit")}`);
    await agent.ended();
    for (let starts = 0; starts < 2; starts++) await (await estate.agent(name)).end();
    expect((await receipts(desk, device)).map((one) => [one.job, one.outcome])).toEqual([[job.job, { type: "lost" }]]);
    expect(estate.lines(`trace-${name}`)).toEqual(["ran"]);
    await desk[Symbol.asyncDispose]();
  });

  it("takes no other job's answer with it: those that ran are answered as well, and one that waited runs after the start", async () => {
    const { name, agent, desk, device } = await atWork();
    const trace = estate.path(`trace-${name}`);
    const beside = await desk.send(device, `echo beside >> ${trace}; sleep 60\n`);
    await until(() => existsSync(trace), "the job to start");
    const first = await desk.send(device, "", { body: { source: stopping(agent, "TERM"), lock: "one" } });
    const second = await desk.send(device, "", { body: { source: "true\n", lock: "one" } });
    await agent.ended();
    const again = await estate.agent(name);
    await until(async () => (await receipts(desk, device)).length === 3, "three receipts");
    await again.end();
    const outcomes = new Map((await receipts(desk, device)).map((one) => [one.job, one.outcome]));
    expect([beside, first, second].map(({ job }) => outcomes.get(job))).toEqual([
      { type: "cancelled", by: "agent-stop" },
      { type: "cancelled", by: "agent-stop" },
      { type: "exited", code: 0 },
    ]);
    await desk[Symbol.asyncDispose]();
  });
});
