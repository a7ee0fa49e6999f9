// `keybound cancel` from the command line to real agents: what runs is ended, what waits is taken back and barred, and each device proves it.
import type { ChildProcess } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_POLICY } from "../../protocol/policy.ts";
import { expectDone, OperatorHouse } from "./house.ts";
import { type Colleague, cosign, founder, hire, waiting } from "./staff.ts";

let house: OperatorHouse;
let deployment: { file: string; pin: string };
let second: ChildProcess;

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init());
  deployment = await house.package("acme.json", ["--group", "web"]);
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

type Shown = {
  readonly name: string;
  readonly delivery: string;
  readonly receipt?: { readonly outcome: object; readonly startedAt?: number };
};

/** Ends the second agent. */
async function endSecond(): Promise<void> {
  if (second.exitCode !== null || second.signalCode !== null) return;
  const gone = new Promise((resolve) => second.once("exit", resolve));
  second.kill("SIGTERM");
  await gone;
}

/** Sends a job and waits for none of its answers. */
async function sent(on: string, line: string): Promise<string> {
  const { stdout } = expectDone(await house.unlocked(["run", "--on", on, "--detach", "--json", "--", line]));
  const { jobs }: { jobs: string[] } = JSON.parse(stdout);
  return jobs[0] ?? "";
}

async function shown(job: string): Promise<readonly Shown[]> {
  const { stdout } = await house.run(["job", "show", job, "--json"]);
  const { devices }: { devices: Shown[] } = JSON.parse(stdout);
  return devices;
}

/** What became of the job that was sent last, on its first device. */
async function newestOutcome(): Promise<object | undefined> {
  const [newest]: { job: string }[] = JSON.parse(expectDone(await house.run(["jobs", "--json"])).stdout);
  return (await shown(newest?.job ?? ""))[0]?.receipt?.outcome;
}

const cancel = (job: string, ...more: readonly string[]) => house.unlocked(["cancel", job, "--yes", ...more]);
async function isTaken(job: string): Promise<void> {
  await expect.poll(async () => (await shown(job))[0]?.delivery, { timeout: 5000 }).toBe("taken");
}
const BY_OPERATOR = { type: "cancelled", by: "operator" };

describe("a job that runs", () => {
  test("is ended, and the device proves that it was", async () => {
    const job = await sent("web1", "sleep 600");
    await isTaken(job);
    const { code, stdout, stderr } = await cancel(job);
    expect([code, stdout]).toEqual([0, "web1 (1): was running, and was ended\n"]);
    expect(stderr).toContain("job: sleep 600\non web1: where it runs it is ended");
    const [device] = await shown(job);
    expect(device?.receipt?.outcome).toEqual(BY_OPERATOR);
    expect(device?.receipt?.startedAt).toBeTypeOf("number");
  });

  test("goes on where somebody has not confirmed", async () => {
    const job = await sent("web1", "sleep 600");
    await isTaken(job);
    const { code, stderr } = await house.unlocked(["cancel", job]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: yes-needed: ")]);
    expect((await shown(job))[0]?.delivery).toBe("taken");
    expectDone(await cancel(job));
  });

  test("on two devices is ended on the one that is named and goes on on the other", async () => {
    const job = await sent("web1,web2", "sleep 600");
    await expect.poll(async () => (await shown(job)).map(({ delivery }) => delivery)).toEqual(["taken", "taken"]);
    expect((await cancel(job, "--on", "web2")).stdout).toBe("web2 (1): was running, and was ended\n");
    expect((await shown(job)).map(({ delivery }) => delivery)).toEqual(["taken", "answered"]);
    const { stdout } = expectDone(await cancel(job, "--json"));
    const { cancelled, devices }: { cancelled: string[]; devices: { name: string; ok: boolean }[] } =
      JSON.parse(stdout);
    expect([cancelled, devices.map(({ name, ok }) => [name, ok])]).toEqual([[job], [["web1", true]]]);
  });

  test("can be cancelled by the id of its batch", async () => {
    const job = await sent("web1", "sleep 600");
    const listed: { job: string; batch: string }[] = JSON.parse(expectDone(await house.run(["jobs", "--json"])).stdout);
    const batch = listed.find((one) => one.job === job)?.batch ?? "";
    await isTaken(job);
    expect((await cancel(batch.startsWith("-") ? job : batch)).stdout).toBe("web1 (1): was running, and was ended\n");
  });
});

describe("what cannot be cancelled", () => {
  test("is a job that has its answer: nothing is sent", async () => {
    const { stdout } = expectDone(await house.unlocked(["run", "--on", "web1", "--json", "--", "true"]));
    const { jobs }: { jobs: string[] } = JSON.parse(stdout);
    const { code, stderr } = await cancel(jobs[0] ?? "");
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining("nothing is left to cancel\ndone with it already: web1"),
    ]);
  });

  test("is a cancel", async () => {
    const job = await sent("web1", "sleep 600");
    const { stdout } = expectDone(await cancel(job, "--json"));
    const { jobs }: { jobs: string[] } = JSON.parse(stdout);
    const { code, stderr } = await cancel(jobs[0] ?? "");
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: job-is-cancel: ")]);
  });

  test("is a job on a device that it is not for", async () => {
    const job = await sent("web1", "sleep 600");
    const { code, stderr } = await cancel(job, "--on", "web2");
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: device-not-of-job: ")]);
    expectDone(await cancel(job));
  });

  test("is what nobody sent", async () => {
    const { code, stderr } = await cancel("zzzz");
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: job-unknown: ")]);
  });
});

describe("a job for a device that is away", () => {
  test("is taken back, and barred there once the device is back", async () => {
    await endSecond();
    const mark = house.path("mark");
    const job = await sent("web2", `touch ${mark}`);
    const { code, stderr } = await cancel(job, "--wait-timeout", "1s");
    expect([code, stderr]).toEqual([1, expect.stringContaining("1 device of 1 has not answered yet")]);
    expect((await shown(job))[0]).toMatchObject({ delivery: "expired" });
    second = house.startAgent("two");
    const done = { type: "cancel-done", jobs: [{ job, state: "barred" }] };
    await expect.poll(newestOutcome, { timeout: 20_000 }).toEqual(done);
    expect(existsSync(mark)).toBe(false);
  });
});

describe("where the policy asks two for a cancel", () => {
  let ada: Colleague;
  let bob: Colleague;
  beforeAll(async () => {
    ada = await founder(house);
    bob = await hire(house, ada, { name: "Bob", role: "operator" });
    const policy = { ...DEFAULT_POLICY, jobThresholds: [{ kind: "cancel" as const, class: "any", count: 2 }] };
    await ada.write({ type: "policy.set", policy });
  }, 30_000);

  test("a run needs one signature and its cancel waits for a colleague, who sees what it ends", async () => {
    const job = await sent("web1", "sleep 600");
    await isTaken(job);
    const waits = await cancel(job, "--detach");
    expect(waits.stderr).toContain("web1 asks for 2 signatures: Bob must co-sign");
    const [row] = await waiting(bob);
    const { stderr } = expectDone(await cosign(bob, row?.proposal ?? ""));
    expect(stderr).toContain(`cancels     ${job}`);
    await expect.poll(async () => (await shown(job))[0]?.receipt?.outcome, { timeout: 10_000 }).toEqual(BY_OPERATOR);
  });

  test("a job that waits for a signature goes with its cancel", async () => {
    const policy = { ...DEFAULT_POLICY, jobThresholds: [{ kind: "run" as const, class: "any", count: 2 }] };
    await ada.write({ type: "policy.set", policy });
    expectDone(await house.unlocked(["run", "--on", "web1", "--detach", "--", "sleep 600"]));
    const [row, another] = await waiting(bob);
    expect(another).toBeUndefined();
    const job = row?.job ?? "";
    const { code, stdout, stderr } = await cancel(job);
    expect(stderr).toContain("it waits for another signature: that is taken away too");
    expect([code, stdout]).toEqual([0, "web1 (1): had not come, and will not run if it comes\n"]);
    expect(await waiting(bob)).toEqual([]);
  });
});

test("a cancel that waits for a device is signed again when its signer's key changes", async () => {
  await (await founder(house)).write({ type: "policy.set", policy: DEFAULT_POLICY });
  await endSecond();
  const job = await sent("web2", "sleep 600");
  expectDone(await cancel(job, "--detach"));
  const passphrase = house.path("new-passphrase");
  writeFileSync(passphrase, "lantern mosaic quiver bamboo tundra wisp\n");
  const change = [
    "key",
    "change",
    "--new-passphrase-file",
    passphrase,
    "--acknowledge",
    "--queued",
    "resign",
    "--no-wait",
    "--no-recovery-file",
  ];
  const { stdout } = expectDone(await house.unlocked([...change, "--json"]));
  expect(JSON.parse(stdout)).toMatchObject({ resigned: 1 });
  second = house.startAgent("two");
  const done = { type: "cancel-done", jobs: [{ job, state: "barred" }] };
  await expect.poll(newestOutcome, { timeout: 20_000 }).toEqual(done);
});
