// The organisation at a glance: what asks for action, what waits, who has not heard; and a relay that lies about colleagues and devices.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Warning } from "../../operator/tenant/status-warnings.ts";
import type { TenantStatus } from "../../operator/tenant/tenant-status.ts";
import { pinOf } from "../../protocol/pin.ts";
import { DEFAULT_POLICY } from "../../protocol/policy.ts";
import { DAY, HOUR } from "../cast/clock.ts";
import { digestOf } from "../cast/random.ts";
import { idOfEnvelope, type Overrides, overridden, signFields } from "../cast/statement.ts";
import { expectDone, OperatorHouse, type Ran } from "./house.ts";
import { type Lie, LyingRelay } from "./lying-relay.ts";
import { SocketDevice } from "./socket-device.ts";
import { type Colleague, founder, hire } from "./staff.ts";

type Status = TenantStatus & { readonly warnings: readonly Warning[] };

let liar: LyingRelay;
let house: OperatorHouse;
let ada: Colleague;
let grace: Colleague;
let web1: SocketDevice;

beforeAll(async () => {
  liar = await LyingRelay.open();
  house = await OperatorHouse.open({ front: liar.url });
  liar.upstream = house.relay.url;
  expectDone(await house.init());
  const { file } = await house.package("acme.json");
  web1 = await SocketDevice.enrol(liar.url, { file, word: "web1", host: "web1.example" });
  expectDone(await house.unlocked(["group", "add", "web", "web1"]));
  ada = await founder(house);
}, 60_000);

afterAll(async () => {
  await web1.close();
  await house[Symbol.asyncDispose]();
  await liar[Symbol.asyncDispose]();
});

function statusIn({ stdout }: Ran): Status {
  const found: Status = JSON.parse(stdout);
  return found;
}

async function status(): Promise<Status> {
  return statusIn(await house.run(["status", "--json"]));
}

/** What shows that somebody lies. */
function evidenceIn(ran: Ran): readonly string[] {
  return statusIn(ran).warnings.flatMap(({ says, evidence }) => (evidence ? [says] : []));
}

function about(type: string, change: Lie): Lie {
  return (frame) => (frame.header["type"] === type ? change(frame) : frame);
}

/** A checkpoint by Grace's key of the head as it is, with fields put over. */
async function byGrace(over: Overrides): Promise<Uint8Array> {
  const { tenant, keyLog } = await status();
  const fields = overridden({ tenant, keyHead: keyLog, time: Date.now() }, over);
  return signFields("checkpoint", fields, [grace.made.keys.signer]);
}

/** What status says where the relay pushes this in place of each checkpoint. */
async function statusWith(checkpoint: Uint8Array): Promise<Ran> {
  const lie = about("checkpoint", ({ header }) => ({ header, parts: [checkpoint] }));
  return liar.lying(lie, () => house.run(["status", "--json"]));
}

describe("of one person", () => {
  test("it needs no passphrase and says who we are, and what a newcomer types", async () => {
    const { code, stdout } = await house.run(["status"]);
    const { tenant, keyLog } = await status();
    const pin = pinOf(tenant);
    expect(code).toBe(0);
    expect(stdout.split("\n\n")[1]?.split("\n")).toEqual([
      "organisation  Acme, epoch 1",
      `pin           ${pin}`,
      `relay         ${liar.url}`,
      `key log       entry 0, ${keyLog.id}`,
      `newcomers     keybound key create --relay ${liar.url} --pin ${pin} --name NAME`,
    ]);
  });

  test("the only admin without a recovery file is told to make one", async () => {
    const { stdout } = await house.run(["status"]);
    expect(stdout.split("\n").slice(0, 3)).toEqual([
      "Action needed",
      "  - you are the only admin and have no recovery file: without your passphrase the organisation has to be reset",
      "      keybound key recovery-file",
    ]);
  });

  test("nothing bounds a withheld revocation, and that is said", async () => {
    const { stdout } = await house.run(["status"]);
    expect(stdout).toContain("Freshness\n  with one operator to vouch nothing bounds for how long");
  });
});

describe("what waits", () => {
  test("a request for a key is shown with the command that approves it, and only the beginning of its code", async () => {
    const home = house.path("newcomer");
    const { pin } = await status();
    const args = ["key", "create", "--relay", liar.url, "--pin", pin, "--name", "Bob O'Neil", "--home", home];
    expectDone(await house.unlocked([...args, "--acknowledge", "--no-recovery-file", "--no-wait"]));
    const { stdout } = await house.run(["status"]);
    expect(stdout).toMatch(
      /\nRequests for keys\n {2}Bob O'Neil asked to become an operator .*\n {6}keybound key approve 'Bob O'\\''Neil'\n/,
    );
    expect(stdout).toMatch(/^Bob O'Neil +- +requested +\S+ +- +none$/m);
    const { requests } = await status();
    expect(requests).toEqual([
      {
        name: "Bob O'Neil",
        purpose: "add",
        filedAt: expect.any(Number),
        online: false,
        code: expect.stringMatching(/^\w{5}$/),
        recovery: false,
      },
    ]);
    expectDone(await house.run(["key", "reject", "Bob O'Neil", "--yes"]));
  });

  test("a policy that a second admin has to sign is shown with the command that signs it", async () => {
    grace = await hire(house, ada, { name: "Grace", role: "admin" });
    const jobThresholds = [{ kind: "any", class: "critical", count: 2 }] as const;
    const policy = { ...DEFAULT_POLICY, jobThresholds: [...jobThresholds] };
    await ada.write({ type: "policy.set", policy });
    await ada.write({ type: "policy.set", policy: { ...policy, prompt: "day" } });
    const { stdout } = await house.run(["status"]);
    expect(stdout).toMatch(
      /\nWaiting for another signature\n {2}sets the policy, signed by Ada \(1 of 2\), until .*\n {6}keybound cosign [\w -]+\n/,
    );
  });
});

describe("of several people", () => {
  test("the time is said from which jobs stop, unless a colleague unlocks", async () => {
    const { stdout } = await house.run(["status"]);
    expect(stdout).not.toContain("Action needed");
    expect(stdout).toMatch(
      /\n {2}vouched: Ada (?:.* ago|just now), Grace (?:.* ago|just now) \(when the key was approved\)\n/,
    );
    expect(stdout).toMatch(/\n {2}your jobs stop on \S+ \S+Z unless Grace unlocks before\n/);
  });

  test("a colleague who unlocks puts that off for others, not for themselves", async () => {
    const before = (await status()).freshness.stops;
    expectDone(await grace.unlocked(["unlock", "--for", "day"]));
    expectDone(await grace.run(["lock"]));
    const after = (await status()).freshness.stops;
    expect(after.map(({ name, from }, at) => [name, from > (before[at]?.from ?? 0)])).toEqual([
      ["Ada", true],
      ["Grace", false],
    ]);
  });

  test("a colleague whose last word is of an older entry is named", async () => {
    await ada.write({ type: "operator.role", operator: grace.made.operator, role: "operator" });
    const { stdout } = await house.run(["status"]);
    expect(stdout).toMatch(
      /\nColleagues who have not vouched for the newest entry\n {2}Grace has not been here since \d{4}-\d\d-\d\d\n/,
    );
  });

  test("somebody whose key was revoked is shown only with --all", async () => {
    const bob = await hire(house, ada, { name: "Bob", role: "operator" });
    const change = { operator: bob.made.operator, key: bob.signer.key, reason: "left", jobs: "cancel" } as const;
    await ada.write({ type: "operator.revoke", ...change });
    expect((await house.run(["status"])).stdout).not.toContain("Bob");
    expect((await house.run(["status", "--all"])).stdout).toMatch(/^Bob +operator +revoked +\S+ +Ada +-$/m);
  });

  test("devices that have not heard are named, and a package that one refused with the reason", async () => {
    const { keyLog } = await status();
    const refused = { tenant: digestOf("old"), name: "Acme", epoch: 1, code: "tenant-retired", time: Date.now() };
    await web1.report({ refused });
    const { stdout } = await house.run(["status"]);
    expect(stdout).toContain(`\nDevices\n  entry ${keyLog.seq} is known to 0 of 1 device; not yet: web1 (online)\n`);
    expect(stdout).toMatch(/\n {2}web1 refused a package of Acme, epoch 1, .*: tenant-retired: this device has left /);
    expect((await status()).devices.refused[0]).toMatchObject({ device: "web1", ...refused });
  });
});

describe("a relay that lies", () => {
  test("does not set back how far colleagues vouched by pushing no checkpoints", async () => {
    const before = (await status()).freshness;
    const withheld = about("checkpoint", ({ header }) => ({ header, parts: [] }));
    const later = await liar.lying(withheld, () => house.run(["status", "--json"]));
    expect(statusIn(later).freshness).toEqual(before);
    expect(before.vouches.every(({ vouchedAt }) => vouchedAt !== undefined)).toBe(true);
  });

  test("moves nobody by a checkpoint of a key that is not of the log", async () => {
    const before = (await status()).freshness;
    const { tenant, keyLog } = await status();
    const fields = { tenant, keyHead: keyLog, time: Date.now() + HOUR / 10 };
    const forged = signFields("checkpoint", fields, [web1.device.signer]);
    expect(statusIn(await statusWith(forged)).freshness).toEqual(before);
  });

  test("moves nobody by a checkpoint of the far future, which would hide all that come later", async () => {
    const before = (await status()).freshness;
    expect(statusIn(await statusWith(await byGrace({ time: Date.now() + DAY }))).freshness).toEqual(before);
  });

  test("shows itself by a colleague's word for an entry that it withholds", async () => {
    const { keyLog } = await status();
    const place = { seq: keyLog.seq + 1, id: digestOf("withheld") };
    const ran = await statusWith(await byGrace({ keyHead: place }));
    expect([ran.code, evidenceIn(ran)]).toEqual([
      1,
      [
        `ENTRIES ARE WITHHELD: Grace has signed for entry ${place.seq} of the key log, which the relay does not show here`,
      ],
    ]);
  });

  test("shows itself by a colleague's word for another line", async () => {
    const place = { seq: 1, id: digestOf("another entry") };
    const ran = await statusWith(await byGrace({ keyHead: place }));
    expect([ran.code, evidenceIn(ran)]).toEqual([
      1,
      [expect.stringMatching(/^ANOTHER KEY LOG: Grace has signed for entry 1 /)],
    ]);
  });

  test("cannot hide a device that follows another line, from the first time that it was seen", async () => {
    const { keyLog } = await status();
    await web1.report({ keyHead: { seq: keyLog.seq, id: digestOf("another entry") } });
    expect((await house.run(["status"])).code).toBe(1);
    const hidden = about("devices", ({ header, parts }) => {
      const devices = Array.isArray(header["devices"]) ? header["devices"] : [];
      const rows = devices.map((row) => ({ ...Object(row), reported: false }));
      return { header: { ...header, devices: rows }, parts: parts.slice(0, rows.length) };
    });
    const { code, stdout } = await liar.lying(hidden, () => house.run(["status"]));
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^Action needed\n {2}- ANOTHER KEY LOG: web1 has signed for entry /),
    ]);
  });

  test("leaves evidence where it shows a second entry that a key of the log signed", async () => {
    const { tenant, keyLog } = await status();
    const entries: readonly { readonly id: string }[] = JSON.parse((await house.run(["history", "--json"])).stdout);
    const chain = { tenant, seq: keyLog.seq, prev: entries[keyLog.seq - 1]?.id, time: Date.now() };
    const fields = { ...chain, type: "operator.role", operator: grace.made.operator, role: "auditor" };
    const second = signFields("key-event", fields, [ada.made.keys.signer]);
    const noHeads = about("welcome", ({ parts }) => ({ header: { type: "welcome" }, parts }));
    const forked = about("log", (frame) => ({
      ...frame,
      parts: frame.header["log"] === "key" ? [second] : frame.parts,
    }));
    const lie: Lie = (frame) => forked(noHeads(frame));
    const refused = await liar.lying(lie, () => house.run(["status"]));
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("keybound: log-fork: ")]);
    const ran = await house.run(["status", "--json"]);
    expect([ran.code, evidenceIn(ran)[0]]).toEqual([
      1,
      expect.stringContaining(
        `A SECOND ENTRY ${keyLog.seq} of the key log, ${idOfEnvelope(second)}, was signed by a key`,
      ),
    ]);
  });
});
