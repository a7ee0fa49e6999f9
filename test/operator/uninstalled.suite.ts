// A device whose agent was uninstalled, as its owner sees it: by what the device signed, and by nothing that a relay says.
import { afterAll, beforeAll, expect, test } from "vitest";
import { signBindingReport } from "../../protocol/binding-report.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import { device } from "../cast/device.ts";
import { digestOf } from "../cast/random.ts";
import { houseBehindLiar, twoDevices } from "./behind-liar.ts";
import { expectDone, OperatorHouse } from "./house.ts";
import { LyingRelay } from "./lying-relay.ts";
import { SocketDevice } from "./socket-device.ts";

let liar: LyingRelay;
let house: OperatorHouse;
let web1: SocketDevice;
let web2: SocketDevice;

const left = { journal: { seq: 7, hash: digestOf("journal") } };
const HINT = "uninstalled, and still members: ";

beforeAll(async () => {
  ({ liar, house } = await houseBehindLiar());
  [web1, web2] = await twoDevices({ liar, house });
  expectDone(await house.unlocked(["group", "add", "web", "web1"]));
}, 60_000);

afterAll(async () => {
  await Promise.all([web1.close(), web2.close()]);
  await house[Symbol.asyncDispose]();
  await liar[Symbol.asyncDispose]();
});

/** The report in this part, made again by a key that is not the device's. */
function forged(part: Uint8Array): Uint8Array {
  const { payloadType, payload } = readEnvelope(part);
  if (!payloadType.includes("binding-report")) return part;
  return signBindingReport({ ...JSON.parse(new TextDecoder().decode(payload)), left }, device("evil").signer);
}

const isReport = (part: Uint8Array) => {
  try {
    return readEnvelope(part).payloadType.includes("binding-report");
  } catch {
    return false;
  }
};

test("a goodbye that the device did not sign is not believed", async () => {
  await web1.report();
  let lies = 0;
  const lie = ({ header, parts }: { header: object; parts: readonly Uint8Array[] }) => {
    lies += parts.filter(isReport).length;
    return { header: { ...header }, parts: parts.map((part) => (isReport(part) ? forged(part) : part)) };
  };
  const { stdout, stderr } = expectDone(await liar.lying(lie, () => house.run(["devices"])));
  expect(lies).toBeGreaterThan(0);
  expect(stdout).not.toContain("uninstalled");
  expect(stderr).not.toContain(HINT);
});

test("one that it signed shows it as uninstalled, with its day and what to do", async () => {
  await web1.report({ left });
  const { stdout, stderr } = expectDone(await house.run(["devices"]));
  expect(stdout).toMatch(/^web1 .* uninstalled \d{4}-\d\d-\d\d /m);
  expect(stdout).toMatch(/^web2 .* online /m);
  expect(stderr).toContain(`${HINT}web1; keybound devices remove NAME takes one out`);
});

test("it says so until it is removed", async () => {
  expectDone(await house.unlocked(["devices", "remove", "web1", "--yes"]));
  const { stdout, stderr } = expectDone(await house.run(["devices"]));
  expect([stdout.includes("uninstalled"), stderr.includes(HINT)]).toEqual([false, false]);
});
