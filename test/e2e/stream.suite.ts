// Live output end to end: a real relay, a real agent, watchers who take it quickly, slowly, not at all, or go away; and the program
// of the operator before readers of every kind.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { digest } from "../../protocol/digest.ts";
import { concat } from "../../protocol/bytes.ts";
import { joinLive, readLive } from "../../protocol/output.ts";
import { startDaemon, stateFolder } from "../agent/daemon-on.ts";
import { bindTo, deviceOf } from "../agent/bound.ts";
import { SmallRelay } from "../agent/small-relay.ts";
import type { Device } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { raw } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { expectDone, MAIN, OperatorHouse } from "../operator/house.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import { Desk, Estate } from "./estate.ts";
import { until } from "./program.ts";

const MIB = 1024 * 1024;
let estate: Estate;
let count = 0;

beforeAll(async () => {
  estate = await Estate.open();
});

afterAll(() => estate[Symbol.asyncDispose]());

async function atWork() {
  const name = `stream${count++}`;
  const tenant = await estate.found(name);
  await estate.bind(name, tenant);
  const agent = await estate.agent(name);
  const desk = await Desk.open(estate, tenant);
  onTestFinished(async () => {
    await desk[Symbol.asyncDispose]();
    await agent.end();
  });
  return { tenant, agent, desk, device: await desk.device() };
}

type Seen = { bytes: number; missed: number; frames: number; sum: string; at: number };

/** Takes the stream of a job from the wraps on, as far as `window` lets it at a time, or only once; what it saw is kept up to date. */
function watching(
  desk: Desk,
  { device, job }: { readonly device: Device; readonly job: Job },
  window: number,
  once = false,
): Seen & { readonly wraps: Promise<void> } {
  const { client, who } = desk;
  const hash = createHash("sha256");
  const seen = { bytes: 0, missed: 0, frames: 0, sum: "", at: 0 };
  let taken = 0;
  const loop = async () => {
    const wraps = (await client.next("live-news")).parts[0] ?? new Uint8Array(0);
    const readers = [raw(who.sealing)];
    const key = joinLive(wraps, { readers, statement: job.statement, pair: who.sealing });
    if (key === undefined) throw new Error("no key");
    opened.resolve();
    const take = () =>
      client.send({ type: "take-live", credits: [{ job: job.job, device: device.id, upTo: taken + window }] });
    if (window > 0) take();
    for (;;) {
      const { header, parts } = await client.next("live-news");
      if (header["index"] === 0) continue;
      const sealed = parts[0] ?? new Uint8Array(0);
      const chunk = readLive(key, Number(header["index"]), sealed);
      if (chunk === undefined) throw new Error(`a frame of ${sealed.length} bytes does not open`);
      seen.missed += chunk.offset - seen.bytes - seen.missed;
      seen.bytes += chunk.bytes.length;
      seen.frames++;
      hash.update(chunk.bytes);
      seen.sum = hash.copy().digest("hex");
      taken += sealed.length;
      if (window > 0 && !once) take();
    }
  };
  const opened = Promise.withResolvers<void>();
  // Ends with the connection.
  loop().catch(() => undefined);
  return Object.assign(seen, { wraps: opened.promise });
}

const numbers = "seq 1 1000000";
const ofNumbers = (() => {
  const text = Array.from({ length: 1_000_000 }, (_, n) => `${n + 1}\n`).join("");
  return { bytes: text.length, sum: createHash("sha256").update(text).digest("hex") };
})();

describe("a watcher", () => {
  it("who takes all gets every byte in order, and the receipt names each frame", async () => {
    const { desk, device } = await atWork();
    const job = desk.job(device, numbers);
    const seen = watching(desk, { device, job }, MIB);
    await desk.submit(job);
    const receipt = await desk.receipt(device, job);
    expect(seen).toMatchObject({ ...ofNumbers, missed: 0 });
    expect(receipt.live?.frames).toBe(seen.frames);
  });

  it("who takes nothing holds up the job for some seconds and changes nothing of its receipt", async () => {
    const { desk, device } = await atWork();
    const job = desk.job(device, numbers);
    const seen = watching(desk, { device, job }, 0);
    const start = performance.now();
    await desk.submit(job);
    const receipt = await desk.receipt(device, job);
    const ms = performance.now() - start;
    expect(receipt).toMatchObject({ outcome: { type: "exited", code: 0 }, output: [{ size: ofNumbers.bytes }] });
    expect([seen.bytes < 20_000, ms > 4_500, ms < 12_000]).toEqual([true, true, true]);
  });

  it("who goes away holds up nothing any more", async () => {
    const { tenant, desk, device } = await atWork();
    const job = desk.job(device, numbers);
    const leaving = await Desk.open(estate, tenant);
    const seen = watching(leaving, { device, job }, 0);
    await leaving.submit(job);
    await seen.wraps;
    await until(() => seen.bytes > 0, "its first output");
    await desk.client.done({ type: "watch", jobs: [job.job], quiet: true });
    const start = performance.now();
    await leaving[Symbol.asyncDispose]();
    await desk.receipt(device, job);
    expect(performance.now() - start).toBeLessThan(3_000);
  });

  it("who stalls holds up the others for three seconds, and then not any more", async () => {
    const { tenant, desk, device } = await atWork();
    const job = desk.job(device, `sleep 1; ${numbers}`);
    await using other = await Desk.open(estate, tenant);
    const quick = watching(desk, { device, job }, MIB);
    const stalled = watching(other, { device, job }, 100_000, true);
    await desk.submit(job);
    await other.client.done({ type: "watch", jobs: [job.job] });
    const start = performance.now();
    const receipt = await desk.receipt(device, job);
    const ms = performance.now() - start;
    expect(receipt).toMatchObject({ outcome: { type: "exited", code: 0 }, output: [{ size: ofNumbers.bytes }] });
    expect(quick).toMatchObject({ ...ofNumbers, missed: 0 });
    expect([stalled.bytes > 20_000, stalled.bytes <= 100_000, ms > 3_000, ms < 9_000]).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });
});

describe("a relay that gives no credit, ever", () => {
  it("delays a job by seconds, and gets its whole receipt", async () => {
    const acme = new Tenant({ clock: { now: Date.now(), turn: () => Date.now() } });
    const relay = await SmallRelay.open([acme]);
    const { path, state } = stateFolder();
    bindTo(state, acme, { deployment: { relays: [relay.url] } });
    const device = deviceOf(state);
    startDaemon(path, state);
    await until(() => relay.devices.length > 0, "the device");
    acme.clock.now = Date.now();
    const job = jobFor({ tenant: acme, devices: [device], body: { source: "head -c 5000000 /dev/zero; exit 3" } });
    const { wrap, body } = job.sealedFor(device);
    relay.push(device.id, { type: "job", job: job.job, watched: true }, [job.envelope, wrap, body]);
    const receipts = () => relay.said.filter(({ header }) => header["type"] === "receipt");
    await until(() => receipts().length > 0, "the receipt");
    const bytes = receipts()[0]?.parts[0] ?? new Uint8Array(0);
    const { receipt } = readReceipt(bytes, { sig: raw(device.signer), tenant: acme.id });
    expect(receipt).toMatchObject({ outcome: { type: "exited", code: 3 }, output: [{ size: 5_000_000 }] });
    const live = relay.said.filter(({ header }) => header["type"] === "live").map(({ parts }) => parts[0]);
    const frames = live.map((part) => part ?? new Uint8Array(0));
    expect(receipt.live).toEqual({
      frames: frames.length - 1,
      wraps: digest(frames[0] ?? new Uint8Array(0)),
      sha256: digest(concat(...frames)),
    });
    expect(frames.slice(1).reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(16_384);
  });
});

describe("a job that prints without end", () => {
  it("and is watched delays no other job on its device for long", async () => {
    const { desk, device } = await atWork();
    const flood = desk.job(device, "exec yes", { body: { source: "exec yes\n", limits: LIMITS } });
    watching(desk, { device, job: flood }, MIB);
    await desk.submit(flood);
    await sleep(500);
    const start = performance.now();
    const small = await desk.send(device, "true\n");
    expect((await desk.receipt(device, small)).outcome).toEqual({ type: "exited", code: 0 });
    expect(performance.now() - start).toBeLessThan(2_000);
    expect((await desk.receipt(device, flood)).outcome).toEqual({ type: "timed-out", afterMs: LIMITS.timeMs });
  });
});

const LIMITS = { timeMs: 6_000, outputBytes: 1000 };

describe("the operator's program", () => {
  let house: OperatorHouse;

  beforeAll(async () => {
    house = await OperatorHouse.open();
    expectDone(await house.init());
    await house.agent("agent", await house.package("package.json"));
    await house.pending(1);
    expectDone(await house.unlocked(["run", "--all", "--", "true"]));
  });

  afterAll(() => house[Symbol.asyncDispose]());

  /** The program with its stdout in the hands of a shell's pipe. */
  function piped(source: string, reader: string): Promise<{ out: string; err: string; code: number | null }> {
    const run = `'${process.execPath}' '${MAIN}' run --all --passphrase-file '${house.passphraseFile}' -- '${source}'`;
    const child = spawn("/bin/bash", ["-c", `${run} | { ${reader}; }; exit \${PIPESTATUS[0]}`], {
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], KEYBOUND_HOME: house.home },
    });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    return new Promise((resolve) => child.once("close", (code) => resolve({ out, err, code })));
  }

  it("gives a reader who is slow every byte", async () => {
    const slow = "for n in $(seq 40); do head -c 262144; sleep 0.15; done | sha256sum";
    const { out, err, code } = await piped(numbers, slow);
    expect([out.slice(0, 64), err, code]).toEqual([ofNumbers.sum, "", 0]);
  });

  it("says what a reader missed who stopped reading for long", async () => {
    const gate = house.path("stalled");
    const source = `head -c 30000000 /dev/zero; touch ${gate}; sleep 4; echo end`;
    const { out, err, code } = await piped(source, `while [ ! -e ${gate} ]; do sleep 0.1; done; tail -c 4`);
    expect([out, err, code]).toEqual(["end\n", expect.stringMatching(/: \d+ bytes of stdout are left out here\n/), 0]);
  });

  it("ends when nobody reads any more, says that the job goes on, and is no success", async () => {
    const { out, err, code } = await piped(`${numbers}; sleep 1`, "head -1");
    expect([out, err, code]).toEqual([
      "1\n",
      expect.stringMatching(
        /^nobody reads the output any more; the job goes on\nsent; 1 device of 1 has not answered yet/,
      ),
      1,
    ]);
  });

  it("follows a job that was sent before, from where it stands, and says what came before", async () => {
    const gate = house.path("gate");
    const source = `echo one; while [ ! -e ${gate} ]; do echo tick; sleep 0.2; done; echo two; exit 3`;
    const sent = expectDone(await house.unlocked(["run", "--all", "--detach", "--", source]));
    const { code, stdout, stderr } = await house.run(["job", "show", sent.stdout.trim(), "--follow"], {
      onStart: ({ stdout: told }) => void told?.once("data", () => writeFileSync(gate, "")),
    });
    expect([code, stdout, stderr]).toEqual([
      1,
      expect.stringMatching(/^(tick\n)+two\n$/),
      expect.stringMatching(/^\S+: \d+ bytes of stdout are left out here\n\S+: exited 3/),
    ]);
  });

  it("follows a job that has ended by showing its answer", async () => {
    const sent = expectDone(await house.unlocked(["run", "--all", "--detach", "--", "echo done"]));
    await until(
      async () => (await house.run(["job", "show", sent.stdout.trim()])).stdout.includes("exited 0"),
      "the end",
    );
    const { code, stdout } = await house.run(["job", "show", sent.stdout.trim(), "--follow"]);
    expect([code, stdout]).toEqual([0, "done\n"]);
  });
});
