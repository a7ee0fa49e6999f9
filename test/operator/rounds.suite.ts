// `keybound run --every`, `--at` and `--window` as a person uses them, with a real agent: what is said, and what `job show` proves.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectDone, OperatorHouse } from "./house.ts";

let house: OperatorHouse;
let name = "";

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init());
  await house.agent("agent", await house.package("acme.json"));
  await house.pending(1);
  expectDone(await house.unlocked(["run", "--all", "--", "true"]));
  [{ name }] = JSON.parse(expectDone(await house.run(["devices", "--json"])).stdout);
}, 60_000);

afterAll(() => house[Symbol.asyncDispose]());

test("a job that comes round says its schedule, does not wait, and is shown with each occurrence", async () => {
  const ran = expectDone(
    await house.unlocked(["run", "--on", name, "--every", "1m", "--count", "2", "--", "echo", "round"]),
  );
  const id = ran.stdout.trim();
  expect(ran.stderr).toMatch(/2 times, every 1 minute: first .*, last /);
  const show = async () => expectDone(await house.run(["job", "show", id])).stdout;
  for (const deadline = Date.now() + 90_000; Date.now() < deadline && !(await show()).includes("#2:"); )
    await sleep(3000);
  const shown = await show();
  expect(shown).toMatch(/#2: exited 0, .*, the last\n.*#1: exited 0, .*, 1 left/);
  expect(shown).toContain("\nround\n");
  const { devices, runs } = JSON.parse(expectDone(await house.run(["job", "show", id, "--json"])).stdout);
  expect(runs).toEqual({ everyMs: 60_000, count: 2 });
  expect(devices[0]).toMatchObject({
    ok: true,
    receipt: { occurrence: 2, runsLeft: 0 },
    occurrences: [{ occurrence: 2 }, { occurrence: 1 }],
    more: false,
    gaps: [],
  });
  expect(expectDone(await house.run(["jobs"])).stdout).toContain("(2 times, every 1 minute)");
}, 180_000);

test("a job that comes round is cancelled between two times, and no other follows", async () => {
  const ran = expectDone(await house.unlocked(["run", "--on", name, "--every", "1m", "--count", "3", "--", "true"]));
  const id = ran.stdout.trim();
  const show = async () => expectDone(await house.run(["job", "show", id])).stdout;
  for (const deadline = Date.now() + 30_000; Date.now() < deadline && !(await show()).includes("#1:"); )
    await sleep(200);
  const again = await house.unlocked(["rerun", id, "--failed", "--yes"]);
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("it comes round")]);
  const cancelled = expectDone(await house.unlocked(["cancel", id, "--yes"]));
  expect(cancelled.stdout).toContain("had not begun, and will not");
  expect(await show()).toMatch(/#2: cancelled by operator.*, the last\n.*#1: exited 0/);
}, 60_000);

test("a job for later is left with its device, and waited for where that is asked for", async () => {
  const later = expectDone(await house.unlocked(["run", "--on", name, "--at", "+1d", "--expires", "1h", "--", "true"]));
  expect(later.stderr).toMatch(/not before .*Z\n/);
  const soon = await house.unlocked(["run", "--on", name, "--at", "+2s", "--wait", "--", "echo", "later"]);
  expect([soon.code, soon.stdout]).toEqual([0, "later\n"]);
});

test("a window is said as it was typed", async () => {
  const ran = expectDone(await house.unlocked(["run", "--on", name, "--window", "mon-fri 22:00-04:00", "--", "true"]));
  expect(ran.stderr).toContain("begins only mon-fri 22:00-04:00 by each device's own clock");
});

test.each([
  [["--every", "1d", "--wait"], "cannot be used with"],
  [["--window", "mon 22:00-22:00"], "not of zero length"],
  [["--at", "2020-01-01T00:00"], "that was 2"],
  [["--count", "3"], "--count and --until are for --every"],
])("run %j is refused before anything is signed", async (options, words) => {
  const { code, stderr } = await house.unlocked(["run", "--on", name, ...options, "--", "true"]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
});
