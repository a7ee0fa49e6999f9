// `keybound package`: no term is signed that a device would refuse, or that says more than it means.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPackage } from "../../protocol/deployment.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { expectDone, OperatorHouse } from "./house.ts";

let house: OperatorHouse;

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init());
});

afterAll(() => house[Symbol.asyncDispose]());

/** An option as often as this. */
const times = (count: number, option: string, value: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => [option, value(at)]).flat();
const relays = (count: number) => times(count, "--relay", (at) => `wss://relay${at}.test`);
const groups = (count: number) => times(count, "--group", (at) => `group${at}`);

describe("it is misuse, said before the passphrase is asked for, to give", () => {
  test.each([
    ["more days than a device takes", ["--days", "401"], "--days: 401, at most 400"],
    ["more uses than a token has", ["--uses", "1000001"], "--uses: 1000001, at most 1000000"],
    ["what is for a folder, without --for", ["--rebind"], "--rebind is for a folder of installers: --for SYSTEM"],
    ["a release, without --for", ["--release", "dist/packages"], "--release is for a folder of installers"],
    ["nine relays", relays(9), "relays: 9, at most 8"],
    ["nine groups", groups(9), "groups: 9, at most 8"],
    ["a relay of 600 characters", ["--relay", `wss://relay.test/${"a".repeat(600)}`], "--relay wss://relay.test/aaa"],
  ])("%s", async (_what, over, words) => {
    const { code, stderr } = await house.run(["package", "--out", house.path("never.json"), ...over]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  });
});

test("a device takes what is at every bound, and what was named twice once", async () => {
  const over = ["--days", "400", "--uses", "1000000", ...relays(8), ...relays(1), ...groups(8), ...groups(1)];
  const { file } = await house.package("bounds.json", over);
  const { deployment } = readPackage(readFileSync(file), admitKey);
  expect([deployment.relays.length, deployment.groups.length]).toEqual([8, 8]);
  expect(deployment.notAfter - deployment.issuedAt).toBe(400 * 86_400_000);
});

test.each([
  ["ws://10.0.0.1:7600", true],
  ["ws://127.evil.test", true],
  ["wss://10.0.0.1", false],
  ["ws://127.0.0.1:7600", false],
  ["ws://[::1]:7600", false],
])("a relay at %s is warned of: %s", async (relay, is) => {
  const out = house.path(`relay ${relay.replace(/\W/g, "")}.json`);
  const { stderr } = expectDone(await house.unlocked(["package", "--out", out, "--relay", relay]));
  expect(stderr.includes(`WARNING: devices dial ${relay} without TLS`)).toBe(is);
});
