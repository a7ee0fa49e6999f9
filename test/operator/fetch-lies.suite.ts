// A relay that was taken over gives another fetched file than the device signed: nothing of it is left here.
import { type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Frame } from "../../protocol/frame.ts";
import { contentOf } from "../cast/job-file.ts";
import { flipped } from "../cast/statement.ts";
import { houseBehindLiar } from "./behind-liar.ts";
import { expectDone, OperatorHouse } from "./house.ts";
import { LyingRelay } from "./lying-relay.ts";

let liar: LyingRelay;
let house: OperatorHouse;
let agent: ChildProcess;
let name = "";

beforeAll(async () => {
  ({ liar, house } = await houseBehindLiar());
  agent = await house.agent("agent", await house.package("acme.json"));
  await house.pending(1);
  expectDone(await house.unlocked(["run", "--all", "--", "true"]));
  const listed: { name: string }[] = JSON.parse(expectDone(await house.run(["devices", "--json"])).stdout);
  name = listed[0]?.name ?? "";
  writeFileSync(house.path("asked.bin"), contentOf(600_000));
}, 60_000);

afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await liar[Symbol.asyncDispose]();
});

const part = (change: (bytes: Uint8Array) => Uint8Array) => (frame: Frame) =>
  frame.header["type"] === "result"
    ? { header: frame.header, parts: frame.parts.map((bytes) => change(new Uint8Array(bytes))) }
    : frame;

test.each([
  ["with one bit turned", part((bytes) => flipped(bytes, bytes.length - 5)), /output-(sealed|digest)/],
  ["in parts of nothing", part(() => new Uint8Array(0)), /output-digest/],
  ["with more than was signed", part((bytes) => Buffer.concat([bytes, new Uint8Array(900_000)])), /output-digest/],
])("a file %s is refused, and nothing of it stays", async (_what, lie, code) => {
  liar.lie = lie;
  const to = house.path("got");
  const { code: exit, stderr } = await house.unlocked(["fetch", name, house.path("asked.bin"), "--to", to]);
  expect([exit, stderr]).toEqual([1, expect.stringMatching(code)]);
  expect(readdirSync(house.folder).filter((file) => file.startsWith("got"))).toEqual([]);
});

test("the same file by an honest relay is what the device has", async () => {
  liar.lie = (frame) => frame;
  const to = house.path("got");
  expectDone(await house.unlocked(["fetch", name, house.path("asked.bin"), "--to", to]));
  expect(Buffer.compare(readFileSync(to), contentOf(600_000))).toBe(0);
  expect([existsSync(`${to}.part`), agent.exitCode]).toEqual([false, null]);
});
