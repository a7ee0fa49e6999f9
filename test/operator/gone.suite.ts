// Devices that are gone, uninstalled or with another owner, as their owner sees them: by what each signed, and by nothing that a relay says.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Heard } from "../../operator/keys/who-heard.ts";
import { signBindingReport } from "../../protocol/binding-report.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import type { Frame } from "../../protocol/frame.ts";
import { device } from "../cast/device.ts";
import { digestOf } from "../cast/random.ts";
import { houseBehindLiar, twoDevices } from "./behind-liar.ts";
import { expectDone, type OperatorHouse } from "./house.ts";
import type { LyingRelay } from "./lying-relay.ts";
import type { SocketDevice } from "./socket-device.ts";
import { founder, hire } from "./staff.ts";

let liar: LyingRelay;
let house: OperatorHouse;
let web1: SocketDevice;
let web2: SocketDevice;
/** A job for both, from when both were there. */
let earlier = "";

const left = { journal: { seq: 7, hash: digestOf("journal") } };
const HINT = "gone, and still members: ";

beforeAll(async () => {
  ({ liar, house } = await houseBehindLiar());
  [web1, web2] = await twoDevices({ liar, house });
  expectDone(await house.unlocked(["group", "add", "web", "web1"]));
  const { stdout } = expectDone(await send("--all"));
  const { jobs }: { jobs: string[] } = JSON.parse(stdout);
  earlier = jobs[0] ?? "";
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

const REFUSED = /^keybound: device-gone: .*: web1 \(uninstalled \d{4}-\d\d-\d\d\)$/m;

/** A job of the house, which is not waited for; what the client said. */
const send = (...targets: readonly string[]) => house.unlocked(["run", ...targets, "--detach", "--json", "--", "true"]);

describe("a job", () => {
  test("that names it is refused before anything is sent", async () => {
    const before: unknown[] = JSON.parse(expectDone(await house.run(["jobs", "--json"])).stdout);
    const { code, stderr } = await send("--on", "web1,web2");
    expect([code, stderr]).toEqual([1, expect.stringMatching(REFUSED)]);
    expect(JSON.parse(expectDone(await house.run(["jobs", "--json"])).stdout)).toEqual(before);
  });

  test("for all leaves it out, and says so", async () => {
    const { stdout, stderr } = expectDone(await send("--all"));
    expect(stderr).toMatch(
      /^left out: web1 \(uninstalled \d{4}-\d\d-\d\d\); keybound devices remove NAME takes one out$/m,
    );
    expect(JSON.parse(stdout)).toMatchObject({
      targets: ["web2"],
      leftOut: [{ device: web1.device.id, name: "web1", why: "uninstalled", at: expect.any(Number) }],
    });
  });

  test("for a group that has none but it has no target", async () => {
    const { code, stderr } = await send("--group", "web");
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^keybound: no-targets: .*: all of them are gone$/m)]);
  });

  test("that waits for it since before is shown as one that it will not answer, and the other is waited for", async () => {
    const { stdout } = expectDone(await house.run(["job", "show", earlier]));
    expect(stdout).toMatch(/^web1: \w+; no answer will come: uninstalled \d{4}-\d\d-\d\d$/m);
    expect(stdout).toMatch(/^web2: \w+$/m);
    const { devices } = JSON.parse(expectDone(await house.run(["job", "show", earlier, "--json"])).stdout);
    expect(devices.map(({ gone }: { gone?: object }) => gone)).toEqual([
      { why: "uninstalled", at: expect.any(Number) },
      undefined,
    ]);
  });

  test("that fetches a file of it is refused", async () => {
    const { code, stderr } = await house.unlocked(["fetch", "web1", "/etc/hostname", "--to", house.path("hostname")]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(REFUSED)]);
  });

  test("goes out to it where the relay hides that it has left, and only then", async () => {
    let hidden = 0;
    const hide = ({ header, parts }: Frame): Frame => {
      if (header["type"] !== "devices" || !Array.isArray(header["devices"])) return { header, parts };
      hidden += 1;
      const devices = header["devices"].map((row: object) => ({ ...row, reported: false }));
      return { header: { ...header, devices }, parts: parts.slice(0, devices.length) };
    };
    const { stdout } = expectDone(await liar.lying(hide, () => send("--all")));
    expect([JSON.parse(stdout).targets, hidden > 0]).toEqual([["web1", "web2"], true]);
  });

  test("from before is run again on the others alone, and cancelled there alone", async () => {
    const job = earlier;
    const again = await house.unlocked(["rerun", job, "--unanswered", "--on", "web1", "--yes"]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(REFUSED)]);
    const cancelled = await house.unlocked(["cancel", job, "--yes", "--detach", "--json"]);
    expect(cancelled.stderr).toMatch(/^gone, so that it does not run there: web1 \(uninstalled /m);
    expect(JSON.parse(expectDone(cancelled).stdout).targets).toEqual(["web2"]);
  });
});

test("it is not waited for after a key event, and not counted", async () => {
  await hire(house, await founder(house), { name: "Grace", role: "operator" });
  const role = house.unlocked(["role", "set", "Grace", "admin", "--yes", "--json"]);
  // Whoever is online and silent is waited for; web1 is, and has said its last word.
  await web2.report({ keyHead: await web2.hears(2) });
  const { stdout } = expectDone(await role);
  const { heard }: { heard: Heard } = JSON.parse(stdout);
  expect(heard.devices).toMatchObject({
    total: 1,
    known: 1,
    notYet: [],
    gone: [{ id: web1.device.id, name: "web1", why: "uninstalled", at: expect.any(Number) }],
  });
  const status = expectDone(await house.run(["status"]));
  expect(status.stdout).toMatch(/entry 2 is known to the only device\n +not waited for: web1 \(uninstalled .*\)\n/);
});

test("it says so until it is removed", async () => {
  expectDone(await house.unlocked(["devices", "remove", "web1", "--yes"]));
  const { stdout, stderr } = expectDone(await house.run(["devices"]));
  expect([stdout.includes("uninstalled"), stderr.includes(HINT)]).toEqual([false, false]);
});

test("one that has another owner is shown so, and left out the same", async () => {
  await web2.report({ moved: { tenant: digestOf("another owner"), device: digestOf("another identity") } });
  const { stdout, stderr } = expectDone(await house.run(["devices"]));
  expect(stdout).toMatch(/^web2 .* another owner's since \d{4}-\d\d-\d\d /m);
  expect(stderr).toContain(`${HINT}web2; `);
  const sent = await send("--on", "web2");
  expect([sent.code, sent.stderr]).toEqual([
    1,
    expect.stringMatching(/device-gone: .*: web2 \(another owner's since /),
  ]);
});
