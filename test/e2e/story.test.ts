// What a user meets beside the straight way: programs that are killed, devices that are away, owners that change. Real processes
// over real sockets, one relay for all of it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Tenant } from "../cast/tenant.ts";
import { idOf } from "../cast/random.ts";
import { person } from "../cast/person.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Desk, Estate } from "./estate.ts";
import { until } from "./program.ts";

let estate: Estate;

beforeAll(async () => {
  estate = await Estate.open();
});

afterAll(() => estate[Symbol.asyncDispose]());

let count = 0;

/** An organisation with one device that is bound, and one person at work. */
async function organisation() {
  const name = `org${count++}`;
  const tenant = await estate.found(name);
  await estate.bind(name, tenant);
  return { name, tenant };
}

/** The same with the agent running and connected. */
async function atWork() {
  const { name, tenant } = await organisation();
  const agent = await estate.agent(name);
  const desk = await Desk.open(estate, tenant);
  onTestFinished(async () => {
    await desk[Symbol.asyncDispose]();
    await agent.end();
  });
  return { name, tenant, agent, desk, device: await desk.device() };
}

/** A script that writes a line into a file of the estate at its start, and then this. */
function traced(name: string, then: string): string {
  return `echo ran >> ${estate.path(`trace-${name}`)}; ${then}\n`;
}

async function started(name: string): Promise<void> {
  await until(() => estate.lines(`trace-${name}`).length > 0, "the job to start");
}

describe("an agent", () => {
  it("leaves a state folder alone on which another one runs", async () => {
    const { name, tenant } = await organisation();
    const first = await estate.agent(name);
    const second = estate.run(name);
    expect(await second.ended()).toBe(1);
    expect(second.stderr).toMatch(/^keybound-agent: state-busy: .*\n.*\n {2}hint: /);
    expect(first.isGone).toBe(false);
    expect(tenant.state.name).toBe(name);
  });

  it("that is stopped ends its job, and its receipt arrives", async () => {
    const { name, agent, desk, device } = await atWork();
    const job = await desk.send(device, traced(name, "sleep 60"));
    await started(name);
    expect(await agent.end("SIGTERM")).toBe(0);
    expect((await desk.receipt(device, job)).outcome).toEqual({ type: "cancelled", by: "agent-stop" });
  });

  it("that is killed finds its job lost when it comes back, and does not run it again", async () => {
    const { name, agent, desk, device } = await atWork();
    const job = await desk.send(device, traced(name, "sleep 2"));
    await started(name);
    await agent.end("SIGKILL");
    await estate.agent(name);
    expect((await desk.receipt(device, job)).outcome).toEqual({ type: "lost" });
    const again = { ...job, job: idOf(`${name} again`) };
    await desk.submit(again);
    expect(await desk.note(again)).toBe("job-repeated");
    expect(estate.lines(`trace-${name}`)).toEqual(["ran"]);
  });

  it("that was away gets its jobs when it comes back, in their order", async () => {
    const { name, agent, desk, device } = await atWork();
    await agent.end();
    const trace = estate.path(`trace-${name}`);
    const send = (word: string) =>
      desk.send(device, "", { body: { source: `echo ${word} >> ${trace}\n`, lock: "order" } });
    const jobs = [await send("one"), await send("two")];
    await estate.agent(name);
    for (const job of jobs) expect((await desk.receipt(device, job)).outcome).toEqual({ type: "exited", code: 0 });
    expect(estate.lines(`trace-${name}`)).toEqual(["one", "two"]);
  });

  it("without an owner waits, and serves the one that it is given", async () => {
    const name = "unbound";
    mkdirSync(estate.path(name), { mode: 0o700 });
    const agent = estate.run(name);
    await agent.says(/no owner yet/);
    const tenant = await estate.found(name);
    await estate.bind(name, tenant);
    await agent.says(/"connected"/);
    await using desk = await Desk.open(estate, tenant);
    const device = await desk.device();
    const job = await desk.send(device, "true\n");
    expect((await desk.receipt(device, job)).outcome).toEqual({ type: "exited", code: 0 });
    await until(() => readFileSync(estate.path("unbound.status.json"), "utf8").includes('"bound": true'), "its status");
  });
});

describe("output", () => {
  it("arrives while the job still runs", async () => {
    const { name, desk, device } = await atWork();
    const gate = estate.path(`gate-${name}`);
    const job = await desk.send(device, `echo first; while [ ! -e ${gate} ]; do sleep 0.05; done\n`);
    // Frame 0 has the wraps, frame 1 the line; the job goes on until the gate is opened.
    const [wraps, line] = [await desk.client.next("live-news"), await desk.client.next("live-news")];
    expect([wraps.header["index"], line.header["index"], line.header["job"]]).toEqual([0, 1, job.job]);
    expect(desk.client.waiting("receipt-news")).toEqual([]);
    writeFileSync(gate, "");
    expect((await desk.receipt(device, job)).outcome).toEqual({ type: "exited", code: 0 });
  });

  it("of a job that had to wait for its turn arrives as well", async () => {
    const { name, desk, device } = await atWork();
    const gate = estate.path(`turn-${name}`);
    await desk.send(device, "", { body: { source: `while [ ! -e ${gate} ]; do sleep 0.05; done\n`, lock: "one" } });
    const second = await desk.send(device, "", { body: { source: "echo second\n", lock: "one" } });
    writeFileSync(gate, "");
    const frames = [await desk.client.next("live-news")];
    while (frames.at(-1)?.header["index"] !== 1) frames.push(await desk.client.next("live-news"));
    expect(frames.at(-1)?.header["job"]).toBe(second.job);
  });

  it("beyond its limit is cut in the middle, and the receipt says how much there was", async () => {
    const { desk, device } = await atWork();
    const MIB = 1024 * 1024;
    const job = await desk.send(device, `printf begin; head -c ${5 * MIB - 8} /dev/zero; printf end\n`);
    const receipt = await desk.receipt(device, job);
    expect(receipt.output).toEqual([
      expect.objectContaining({ stream: "stdout", size: 5 * MIB, head: MIB / 2, tail: MIB / 2 }),
    ]);
    const [kept] = await desk.output(device, receipt);
    expect(new TextDecoder().decode(kept?.head.subarray(0, 5))).toBe("begin");
    expect(new TextDecoder().decode(kept?.tail.subarray(-3))).toBe("end");
  });
});

describe("who may no longer", () => {
  it("sign has jobs that wait refused, when the device learns of it as it comes back", async () => {
    const { name, tenant, agent, desk, device } = await atWork();
    const bob = person(`Bob of ${name}`);
    tenant.clock.now = Date.now();
    tenant.add(bob);
    await desk.client.done({ type: "append", log: "key" }, [lastOf(tenant)]);
    await using bobs = await Desk.open(estate, tenant, bob);
    await agent.end();
    const job = await bobs.send(device, traced(name, "true"));
    tenant.clock.now = Date.now();
    tenant.revoke(bob);
    await desk.client.done({ type: "append", log: "key" }, [lastOf(tenant)]);
    await desk.client.done({ type: "watch", jobs: [job.job] });
    await estate.agent(name);
    expect(await desk.note(job)).toBe("signer-revoked");
    expect(estate.lines(`trace-${name}`)).toEqual([]);
  });

  it("serve as a device is turned away, and gets no more jobs", async () => {
    const { tenant, agent, desk, device } = await atWork();
    const roster = new RosterLog(tenant);
    tenant.clock.now = Date.now();
    const founder = [tenant.founder.signer];
    roster.admit(device);
    roster.append({ type: "device.remove", device: device.id }, founder);
    for (const { bytes } of roster.entries) await desk.client.done({ type: "append", log: "roster" }, [bytes]);
    await agent.says(/"code":"login-unknown"/);
    await expect(desk.send(device, "true\n")).rejects.toThrow("device-unknown");
  });
});

it("a device that changes its owner while it runs ends the job, serves the new one, and obeys the old one no more", async () => {
  const { name, tenant, agent, desk, device } = await atWork();
  const job = await desk.send(device, traced(name, "sleep 60"));
  await started(name);
  const other = await estate.found(`${name}-new`);
  await estate.bind(name, other, ["--rebind"]);
  expect((await desk.receipt(device, job)).outcome).toEqual({ type: "cancelled", by: "owner-change" });
  await agent.says(/"connected"/, 2);
  await using desks = await Desk.open(estate, other);
  const renewed = await desks.device();
  expect(renewed.id).not.toBe(device.id);
  const obeyed = await desks.send(renewed, "true\n");
  expect((await desks.receipt(renewed, obeyed)).outcome).toEqual({ type: "exited", code: 0 });
  // The old owner's job for the new identity, delivered by a relay that would do it.
  tenant.clock.now = Date.now();
  const old = desk.job(renewed, traced(`${name}-old`, "true"));
  await desks.submit(old);
  expect(await desks.note(old)).toBe("signer-unknown");
  expect([agent.isGone, estate.lines(`trace-${name}-old`)]).toEqual([false, []]);
});

describe("a relay that is killed while somebody waits for a job", () => {
  it("comes back, the device runs the job once, and its receipt is there for whoever waited", async () => {
    const passphrase = join(estate.folder, "passphrase");
    writeFileSync(passphrase, "abdomen stunned pusher zoning abide wagon\n", { mode: 0o600 });
    const unlocked = ["--passphrase-file", passphrase];
    const init = ["init", "--relay", estate.url, "--claim", await estate.claim(), "--org", "Acme", "--name", "Ada"];
    await estate.start("operator", [...init, "--acknowledge", "--no-recovery-file", ...unlocked]).done();
    const file = estate.path("acme.json");
    const { stdout } = await estate.start("operator", ["package", "--out", file, ...unlocked]).done();
    const pin = /^pin +(\S+)$/m.exec(stdout)?.[1] ?? "";
    await estate.start("agent", ["bind", file, "--trust", pin, "--state", estate.path("acme")]).done();
    const agent = estate.run("acme");
    await agent.says(/enrolment sent/);
    const gate = estate.path("gate-acme");
    const script = traced("acme", `while [ ! -e ${gate} ]; do sleep 0.05; done; echo done`);
    const waiting = estate.start("operator", ["run", "--all", ...unlocked, "--", script]);
    await started("acme");
    await estate.relay.end("SIGKILL");
    expect(await waiting.ended()).toBe(1);
    const [, job = ""] = await waiting.says(/relay-unreachable: [^]*keybound job show ([\w-]{22})/);
    await estate.startRelay();
    writeFileSync(gate, "");
    await agent.says(/"connected"/, 2);
    await agent.says(/"job ended"/);
    const show = async () => (await estate.start("operator", ["job", "show", job]).done()).stdout;
    let shown = "";
    await until(async () => (shown = await show()).includes("exited 0"), "the receipt");
    expect(shown).toMatch(/\nreceipt {4}\S+ 1, /);
    expect(estate.lines("trace-acme")).toEqual(["ran"]);
  });
});

function lastOf({ log }: Tenant): Uint8Array {
  const last = log.at(-1);
  if (last === undefined) throw new Error("an empty log");
  return last;
}
