// The agent killed at each stage of a job's files, and a disk that is too small: never a half file, never two runs, one receipt.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { jobFor } from "../cast/job.ts";
import { contentOf, fileFor } from "../cast/job-file.ts";
import { Tenant } from "../cast/tenant.ts";
import { AgentProcess, systemClock } from "./agent-process.ts";
import { bindTo, deviceOf, folder, openState, receiptsOf } from "./bound.ts";
import { startDaemon } from "./daemon-on.ts";
import { canMount, smallDisk } from "./small-disk.ts";
import { SmallRelay } from "./small-relay.ts";

const content = contentOf(24 * 1024 * 1024);

/** An agent, and a job that brings a large file to a place and notes that it ran. */
async function scene() {
  const tenant = new Tenant({ clock: systemClock() });
  const relay = await SmallRelay.open([tenant]);
  relay.blobPart = 256 * 1024;
  const agent = new AgentProcess();
  agent.bound(tenant, { deployment: { relays: [relay.url] } });
  const { device } = agent;
  const place = join(folder(), "placed.bin");
  const trace = join(agent.folder, "trace");
  const { file, sealed } = fileFor({ path: place, content });
  relay.blobs.set(file.blob, sealed);
  const source = `echo ran >> ${trace}; sleep 1; cmp -s ${place} ${place}`;
  const job = jobFor({ tenant, devices: [device], body: { source, files: [file] } });
  const { wrap, body } = job.sealedFor(device);
  relay.greeting = [[{ type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]]];
  const intake = join(agent.path, "files", job.job);
  const runs = () => (existsSync(trace) ? readFileSync(trace, "utf8").trim().split("\n").length : 0);
  return { agent, relay, place, intake, blob: file.blob, runs };
}

type Scene = Awaited<ReturnType<typeof scene>>;

const namesIn = (path: string) => (existsSync(path) ? readdirSync(path) : []);
const beside = ({ place }: Scene) => namesIn(join(place, "..")).filter((name) => name.startsWith(".keybound-"));

function isComing({ intake, blob }: Scene): boolean {
  return sizeOf(join(intake, `${blob}.part`)) > 4_000_000;
}

/** Looks at every turn of the event loop, so that a stage of some milliseconds is not missed. */
async function closely(isThere: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!isThere()) {
    if (Date.now() > end) throw new Error("the stage did not come");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Each stage by what is on the disk then. */
const STAGES: readonly (readonly [string, (at: Scene) => boolean, outcome: string])[] = [
  ["while the file comes", isComing, "exited"],
  ["when all of it has come", ({ intake, blob }) => existsSync(join(intake, blob)), "exited"],
  ["while it is opened", (at) => beside(at).length > 0, "exited"],
  ["while the job runs", ({ runs }) => runs() > 0, "lost"],
];

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

describe("an agent that is killed", () => {
  it.each(STAGES)(
    "%s runs the job once at the most, and answers once",
    { timeout: 60_000 },
    async (_at, isThere, outcome) => {
      const at = await scene();
      const first = at.agent.run();
      await closely(() => isThere(at));
      await first.end("SIGKILL");
      expect([0, content.length]).toContain(sizeOf(at.place));
      at.agent.run();
      await vi.waitFor(() => expect(receiptsOf(at.agent.state)).toHaveLength(1), { timeout: 30_000, interval: 50 });
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(receiptsOf(at.agent.state).map(({ receipt }) => receipt.outcome.type)).toEqual([outcome]);
      expect(at.runs()).toBe(1);
      expect(Buffer.compare(readFileSync(at.place), content)).toBe(0);
      expect([beside(at), namesIn(join(at.intake, ".."))]).toEqual([[], []]);
    },
  );

  it("asks on for what it has not got, and for nothing twice", { timeout: 60_000 }, async () => {
    const at = await scene();
    const first = at.agent.run();
    await closely(() => isComing(at));
    await first.end("SIGKILL");
    const had = sizeOf(join(at.intake, `${at.blob}.part`));
    at.relay.said.splice(0);
    at.agent.run();
    await vi.waitFor(() => expect(receiptsOf(at.agent.state)).toHaveLength(1), { timeout: 30_000, interval: 50 });
    const asked = at.relay.said.filter(({ header }) => header["type"] === "read-blob");
    expect(asked[0]?.header["offset"]).toBe(had);
  });
});

async function answerOn(disk: string, place: string): Promise<unknown> {
  const tenant = new Tenant();
  const relay = await SmallRelay.open([tenant]);
  relay.blobPart = 256 * 1024;
  const path = join(disk, "state");
  const state = openState(path);
  bindTo(state, tenant, { deployment: { relays: [relay.url] } });
  const device = deviceOf(state);
  const { file, sealed } = fileFor({ path: place, content });
  relay.blobs.set(file.blob, sealed);
  const job = jobFor({ tenant, devices: [device], body: { files: [file] } });
  const { wrap, body } = job.sealedFor(device);
  relay.greeting = [[{ type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]]];
  const { stop } = startDaemon(path, state, { now: () => tenant.clock.now });
  await vi.waitFor(() => expect(receiptsOf(state)).toHaveLength(1), { timeout: 20_000, interval: 50 });
  const asked = relay.said.filter(({ header }) => header["type"] === "read-blob").length;
  await stop();
  return { asked, outcome: receiptsOf(state)[0]?.receipt.outcome };
}

describe.runIf(canMount())("a disk that is too small", () => {
  it("for the sealed file is found out before a byte of it is asked for", async () => {
    const disk = smallDisk(80);
    expect(await answerOn(disk, join(folder(), "placed.bin"))).toMatchObject({
      asked: 0,
      outcome: { type: "refused", code: "disk-short" },
    });
  });

  it("at the file's own place is found out as well", async () => {
    const place = join(smallDisk(80), "placed.bin");
    expect(await answerOn(folder(), place)).toMatchObject({
      asked: 0,
      outcome: { type: "refused", code: "disk-short" },
    });
  });

  it("by a little is none that is: there is room for both and the reserve", async () => {
    const disk = smallDisk(64 + 52);
    expect(await answerOn(disk, "placed.bin")).toMatchObject({ outcome: { type: "exited", code: 0 } });
  });
});
