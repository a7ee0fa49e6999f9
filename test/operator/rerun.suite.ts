// `keybound rerun` from the command line to real agents: a new job for just the devices that failed, or that prove that they never began.
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectDone, OperatorHouse } from "./house.ts";

let house: OperatorHouse;
let second: ChildProcess;

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init());
  const deployment = await house.package("acme.json", ["--group", "web"]);
  await house.agent("one", deployment);
  await named("web1");
  second = await house.agent("two", deployment);
  await named("web2");
}, 60_000);

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

/** Names the one device that waits, which its token has admitted by then. */
async function named(name: string): Promise<void> {
  await house.pending(1);
  const [row]: { id: string }[] = JSON.parse(expectDone(await house.run(["devices", "--pending", "--json"])).stdout);
  expectDone(await house.unlocked(["devices", "name", row?.id ?? "", name]));
}

async function endSecond(): Promise<void> {
  if (second.exitCode !== null || second.signalCode !== null) return;
  const gone = new Promise((resolve) => second.once("exit", resolve));
  second.kill("SIGTERM");
  await gone;
}

type Ran = {
  readonly code: number | null;
  readonly stderr: string;
  readonly jobs: readonly string[];
  readonly names: readonly string[];
  readonly json: object;
};

/** Runs a command that answers JSON about jobs. */
async function ran(...args: readonly string[]): Promise<Ran> {
  const at = args.indexOf("--");
  const place = at < 0 ? args.length : at;
  const { code, stdout, stderr } = await house.unlocked([...args.slice(0, place), "--json", ...args.slice(place)]);
  if (stdout === "") throw new Error(`ended with ${code}: ${stderr}`);
  const json: { jobs: string[]; devices?: { name: string }[] } = JSON.parse(stdout);
  return { code, stderr, jobs: json.jobs, names: (json.devices ?? []).map(({ name }) => name), json };
}

const rerun = (job: string | undefined, ...more: readonly string[]) => ran("rerun", job ?? "none", "--yes", ...more);

async function delivery(job: string | undefined): Promise<readonly string[]> {
  const { stdout } = await house.run(["job", "show", job ?? "", "--json"]);
  const { devices }: { devices: { delivery: string }[] } = JSON.parse(stdout);
  return devices.map((one) => one.delivery);
}

const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []);

describe("a job that failed on one of two devices", () => {
  test("runs again there alone, under a new id, with the source that was read back", async () => {
    const [once, log] = [house.path("once"), house.path("log")];
    // The one that makes the file fails: whichever it is, the other finds the file there.
    const line = `echo ran >> ${log}; mkdir ${once} 2>/dev/null && exit 3; exit 0`;
    const first = await ran("run", "--on", "web1,web2", "--", line);
    expect([first.code, linesOf(log).length]).toEqual([1, 2]);
    const again = await rerun(first.jobs[0], "--failed");
    expect([again.code, again.names.length, linesOf(log).length]).toEqual([0, 1, 3]);
    expect(again.jobs[0]).not.toBe(first.jobs[0]);
    expect(again.stderr).toMatch(/^job: echo ran >> .*\nagain on web[12]: exited 3\n/);
    expect(again.json).toMatchObject({ rerunOf: first.jobs, leftOut: [] });
  });

  test("is not run again where it did not fail, or where nobody confirms", async () => {
    const failed = await ran("run", "--on", "web1", "--", "exit 4");
    const good = await rerun((await ran("run", "--on", "web1", "--", "true")).jobs[0], "--failed");
    expect([good.code, good.jobs, good.stderr]).toEqual([0, [], expect.stringContaining("there is no such device")]);
    const { code, stderr } = await house.unlocked(["rerun", failed.jobs[0] ?? "", "--failed"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: yes-needed: ")]);
  });

  test("is not run again on devices that are not its own", async () => {
    const failed = await ran("run", "--on", "web1", "--", "exit 4");
    const { code, stderr } = await house.unlocked(["rerun", failed.jobs[0] ?? "", "--failed", "--on", "web2"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: device-not-of-job: ")]);
  });
});

test("what is to be run again has to be said", async () => {
  const { code, stderr } = await house.unlocked(["rerun", "abc"]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("--failed, --unanswered, or both")]);
});

describe("a job that a device has not answered", () => {
  test("runs once on a device that was away until its end, and only there", async () => {
    const log = house.path("away");
    await endSecond();
    const first = await ran(
      "run",
      "--on",
      "web1,web2",
      "--expires",
      "3s",
      "--wait-timeout",
      "1s",
      "--",
      `echo ran >> ${log}`,
    );
    expect(linesOf(log)).toEqual(["ran"]);
    await expect.poll(async () => (await delivery(first.jobs[0])).includes("expired"), { timeout: 20_000 }).toBe(true);
    second = house.startAgent("two");
    const again = await rerun(first.jobs[0], "--unanswered");
    expect(again.stderr).toContain("not answered by web2: such a device may have run it, or run it yet");
    expect([again.code, again.names, linesOf(log)]).toEqual([0, ["web2"], ["ran", "ran"]]);
  });

  test("and that runs there is ended by the cancel and not run again", async () => {
    const log = house.path("running");
    const { jobs } = await ran("run", "--on", "web1", "--detach", "--", `echo ran >> ${log}; sleep 600`);
    await expect.poll(() => linesOf(log)).toEqual(["ran"]);
    const { code, stderr } = await house.unlocked(["rerun", jobs[0] ?? "", "--unanswered", "--yes"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("not run again on web1: it was running, and was ended"),
    ]);
    expect(linesOf(log)).toEqual(["ran"]);
  });

  test("and whose cancel is waited for no longer is not run again", async () => {
    await endSecond();
    const log = house.path("interrupted");
    const { jobs } = await ran("run", "--on", "web2", "--detach", "--", `echo ran >> ${log}`);
    let child: ChildProcess | undefined;
    const again = house.unlocked(["rerun", jobs[0] ?? "", "--unanswered", "--yes"], {
      onStart: (one) => (child = one),
    });
    const newest = async () => (await house.run(["jobs", "--limit", "1"])).stdout;
    await expect.poll(newest, { timeout: 20_000 }).toContain("cancel echo ran");
    child?.kill("SIGINT");
    const { code, stderr } = await again;
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: rerun-interrupted: ")]);
    second = house.startAgent("two");
    await expect.poll(newest, { timeout: 20_000 }).toContain("1/1");
    expect([await newest(), linesOf(log)]).toEqual([expect.stringContaining("cancel echo ran"), []]);
  });

  test("is not run again where the device does not answer the cancel either, and never runs there twice", async () => {
    const log = house.path("silent");
    await endSecond();
    const { jobs } = await ran("run", "--on", "web2", "--detach", "--", `echo ran >> ${log}`);
    const silent = ["rerun", jobs[0] ?? "", "--unanswered", "--yes"];
    const { code, stderr } = await house.unlocked([...silent, "--wait-timeout", "1s"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("not run again on web2: no answer to the cancel yet")]);
    second = house.startAgent("two");
    const again = await rerun(jobs[0], "--unanswered");
    expect([again.code, again.names, linesOf(log)]).toEqual([0, ["web2"], ["ran"]]);
  });
});
