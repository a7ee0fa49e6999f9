// A relay that was taken over shows other logs, other devices, other receipts, other output: each lie is refused with its code.
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toBase64url, utf8 } from "../../protocol/bytes.ts";
import type { Frame } from "../../protocol/frame.ts";
import { openLive, sealLive } from "../../protocol/output.ts";
import { readReceipt, signReceipt } from "../../protocol/receipt.ts";
import { device } from "../cast/device.ts";
import { digestOf, seeded } from "../cast/random.ts";
import { flipped } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { houseBehindLiar, twoDevices } from "./behind-liar.ts";
import { expectDone, OperatorHouse, type Ran } from "./house.ts";
import { type Lie, LyingRelay } from "./lying-relay.ts";
import { SocketDevice, type TakenJob } from "./socket-device.ts";

let liar: LyingRelay;
let house: OperatorHouse;
let web: SocketDevice;
let other: SocketDevice;
let job = "";

const FILES = ["config.json", "setup-secret", "access-key.json", "access-grant.json"];

beforeAll(async () => {
  ({ liar, house } = await houseBehindLiar());
  [web, other] = await twoDevices({ liar, house });
  const running = house.unlocked(["run", "--on", "web1", "--json", "--", "true"]);
  const taken = await web.job();
  web.take(taken);
  await web.answer(taken, "signed output\n");
  expectDone(await running);
  job = taken.manifest.job;
}, 60_000);

afterAll(async () => {
  await Promise.all([web.close(), other.close()]);
  await house[Symbol.asyncDispose]();
  await liar[Symbol.asyncDispose]();
});

/** A lie about one kind of frame. */
function about(type: string, change: (frame: Frame) => Frame): Lie {
  return (frame) => (frame.header["type"] === type ? change(frame) : frame);
}

function both(first: Lie, second: Lie): Lie {
  return (frame) => second(first(frame));
}

/** Heads that are not those of the client, so that it asks for the entries. */
const noHeads: Lie = about("welcome", ({ parts }) => ({ header: { type: "welcome" }, parts }));

function logs(log: "key" | "roster", change: (frame: Frame) => Frame): Lie {
  return about("log", (frame) => (frame.header["log"] === log ? change(frame) : frame));
}

/** The exit code, what is on stdout, and the code that is said on stderr. */
function verdict({ code, stderr, stdout }: Ran): readonly [number | null, string, string] {
  return [code, stdout, /^keybound: ([a-z-]+): /m.exec(stderr)?.[1] ?? stderr];
}

/** A home like the first operator's that has never seen a log. */
function freshHome(): string {
  const home = house.path("fresh");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { mode: 0o700 });
  for (const name of FILES) copyFileSync(`${house.home}/${name}`, `${home}/${name}`);
  return home;
}

describe("the logs", () => {
  test("a roster that was set back is refused", async () => {
    const lie = both(
      noHeads,
      logs("roster", ({ header }) => ({ header, parts: [] })),
    );
    expect(verdict(await liar.lying(lie, () => house.run(["devices"])))).toEqual([1, "", "relay-behind"]);
  });

  test("a key log that was set back is refused", async () => {
    const lie = both(
      noHeads,
      logs("key", ({ header }) => ({ header, parts: [] })),
    );
    expect(verdict(await liar.lying(lie, () => house.run(["devices"])))).toEqual([1, "", "relay-behind"]);
  });

  test("another organisation's key log is refused as a fork", async () => {
    const stranger = new Tenant();
    const lie = both(
      noHeads,
      logs("key", ({ header }) => ({ header, parts: stranger.log })),
    );
    expect(verdict(await liar.lying(lie, () => house.run(["devices"])))).toEqual([1, "", "log-fork"]);
  });

  test("another organisation's key log is refused by a home that has seen none", async () => {
    const stranger = new Tenant();
    const lie = both(
      noHeads,
      logs("key", ({ header }) => ({ header, parts: stranger.log })),
    );
    const home = freshHome();
    expect(verdict(await liar.lying(lie, () => house.run(["devices", "--home", home])))).toEqual([
      1,
      "",
      "tenant-other",
    ]);
  });

  test("a roster with an entry left out is refused", async () => {
    const home = freshHome();
    const lie = logs("roster", ({ header, parts }) => ({ header, parts: parts.toSpliced(1, 1) }));
    expect(verdict(await liar.lying(lie, () => house.run(["devices", "--home", home])))).toEqual([1, "", "log-gap"]);
  });

  test("a roster with another device's key in an entry is refused", async () => {
    const home = freshHome();
    const lie = logs("roster", ({ header, parts }) => ({
      header,
      parts: parts.map((part, at) => (at === 1 ? swapped(part) : part)),
    }));
    expect(verdict(await liar.lying(lie, () => house.run(["devices", "--home", home])))).toEqual([
      1,
      "",
      "signature-bad",
    ]);
  });
});

/** The entry with another encryption key in its payload, under the signature that it had. */
function swapped(entry: Uint8Array): Uint8Array {
  const envelope: { payload: string } = JSON.parse(new TextDecoder().decode(entry));
  const payload = atob(envelope.payload).replace(
    /"enc":"[^"]+"/,
    `"enc":"${toBase64url(device("evil").sealing.publicKey)}"`,
  );
  return new TextEncoder().encode(JSON.stringify({ ...envelope, payload: btoa(payload) }));
}

test("an entry that somebody was quicker with is signed again for the place after it", async () => {
  const home = freshHome();
  expectDone(await house.run(["devices", "--home", home]));
  expectDone(await house.unlocked(["group", "add", "quick", "web1"]));
  let hidden = 0;
  const lie = both(noHeads, (frame) => {
    if (frame.header["type"] !== "log" || frame.header["log"] !== "roster" || hidden > 0) return frame;
    hidden = frame.parts.length - 1;
    return { header: frame.header, parts: frame.parts.slice(0, 1) };
  });
  const args = ["group", "add", "slow", "web1", "--home", home];
  const { stdout } = expectDone(await liar.lying(lie, () => house.unlocked(args)));
  expect([hidden, stdout]).toEqual([1, "slow: web1\n"]);
  expect(expectDone(await house.run(["group"])).stdout).toMatch(/quick .*\nslow /);
});

describe("the devices", () => {
  test("another device's request under a device's id is not shown as its own", async () => {
    const lie = about("devices", ({ header, parts }) => ({ header, parts: parts.toReversed() }));
    const { stdout } = expectDone(await liar.lying(lie, () => house.run(["devices", "--json"])));
    const rows: { name: string; host?: string }[] = JSON.parse(stdout);
    expect(rows.map(({ name, host }) => [name, host])).toEqual([
      ["web1", undefined],
      ["web2", undefined],
    ]);
  });

  test("a device that was removed is not admitted again by the request that it once made", async () => {
    let listed: Frame | undefined;
    const remember = about("devices", (frame) => (listed = frame));
    await liar.lying(remember, () => house.unlocked(["devices", "remove", "web2", "--yes"]));
    const again = about("devices", (frame) => ({
      header: { ...listed?.header, rid: frame.header["rid"] ?? 0 },
      parts: listed?.parts ?? [],
    }));
    const { stderr } = await liar.lying(again, () => house.unlocked(["devices", "class", "web1", "front"]));
    expect(stderr).toBe("");
    const rows: { name?: string; pending: boolean }[] = JSON.parse(
      expectDone(await house.run(["devices", "--json"])).stdout,
    );
    expect(rows.filter(({ pending }) => !pending).map(({ name }) => name)).toEqual(["web1"]);
  });
});

async function shown(lie: Lie, home = house.home): Promise<{ code: number | null; refusal: string }> {
  const { code, stdout } = await liar.lying(lie, () => house.run(["job", "show", job, "--json", "--home", home]));
  const { devices }: { devices: { code?: string }[] } = JSON.parse(stdout);
  return { code, refusal: devices[0]?.code ?? "" };
}

/** A receipt made from the real one. */
function forged(change: (receipt: ReturnType<typeof readReceipt>["receipt"]) => Uint8Array): Lie {
  return about("job-record", ({ header, parts }) => {
    const real = parts.at(-1);
    if (real === undefined) throw new Error("no receipt to forge");
    const { signer } = web.device;
    const envelope: { payload: string } = JSON.parse(new TextDecoder().decode(real));
    const { tenant }: { tenant: string } = JSON.parse(atob(envelope.payload));
    const { receipt } = readReceipt(real, { sig: toBase64url(signer.publicKey), tenant });
    return { header, parts: [...parts.slice(0, -1), change(receipt)] };
  });
}

describe("the answers", () => {
  test("a receipt with another outcome, signed by somebody else, is refused", async () => {
    const lie = forged(
      (receipt) => signReceipt({ ...receipt, outcome: { type: "exited", code: 1 } }, device("evil").signer).bytes,
    );
    expect(await shown(lie)).toEqual({ code: 1, refusal: "signer-unknown" });
  });

  test("the device's receipt for another job is refused", async () => {
    const lie = forged(
      (receipt) => signReceipt({ ...receipt, statement: digestOf("another job") }, web.device.signer).bytes,
    );
    expect(await shown(lie)).toEqual({ code: 1, refusal: "job-id-reused" });
  });

  test("a second receipt at a place of the chain that was seen before is refused", async () => {
    const lie = forged((receipt) => signReceipt({ ...receipt, bootId: "another boot" }, web.device.signer).bytes);
    expect(await shown(lie)).toEqual({ code: 1, refusal: "receipt-chain" });
  });

  test("a receipt whose chain does not begin at the device's enrolment is refused", async () => {
    const home = freshHome();
    const lie = forged((receipt) => signReceipt({ ...receipt, prev: digestOf("elsewhere") }, web.device.signer).bytes);
    expect(await shown(lie, home)).toEqual({ code: 1, refusal: "receipt-chain" });
  });

  test("output that was cut is refused", async () => {
    const lie = about("result", ({ header, parts }) => ({
      header,
      parts: [parts[0]?.slice(0, 0) ?? new Uint8Array(0)],
    }));
    expect(await shown(lie)).toEqual({ code: 1, refusal: "output-digest" });
  });

  test("output that was changed is refused", async () => {
    const lie = about("result", ({ header, parts }) => ({
      header,
      parts: [flipped(parts[0] ?? new Uint8Array(1), -1)],
    }));
    expect(await shown(lie)).toEqual({ code: 1, refusal: "output-digest" });
  });

  test("a job that nobody of the organisation signed is refused", async () => {
    const lie = about("job-record", ({ header, parts }) => {
      const [envelope = new Uint8Array(0), ...rest] = parts;
      const json: { signatures: { keyid: string }[] } = JSON.parse(new TextDecoder().decode(envelope));
      const signatures = json.signatures.map((signature) => ({ ...signature, keyid: device("evil").id }));
      return { header, parts: [new TextEncoder().encode(JSON.stringify({ ...json, signatures })), ...rest] };
    });
    expect(verdict(await liar.lying(lie, () => house.run(["job", "show", job])))).toEqual([1, "", "signer-unknown"]);
  });

  test("a stream that the relay made up is refused, although it says what the device signed", async () => {
    const contentKey = new Uint8Array(32).fill(7);
    let asked: TakenJob | undefined;
    const lie = about("live-news", ({ header }) => {
      if (asked === undefined) throw new Error("live output before its job");
      const { statement, manifest } = asked;
      const bytes = utf8("true\n");
      const wraps = openLive(contentKey, { readers: manifest.readers, statement, random: seeded("the relay's") });
      const made = header["index"] === 0 ? wraps : sealLive(contentKey, 1, { stream: "stdout", offset: 0, bytes });
      return { header, parts: [made] };
    });
    const { code, stdout, stderr } = await liar.lying(lie, async () => {
      const running = house.unlocked(["run", "--on", "web1", "--", "true"]);
      asked = await web.job();
      web.take(asked);
      web.stream(asked, ["true\n"]);
      await web.answer(asked, "true\n");
      return await running;
    });
    expect([code, stdout, stderr]).toEqual([1, "true\n", expect.stringContaining("web1: NOT VERIFIED output-differs")]);
  });

  test("the truth is taken, by a home that has seen nothing before, too", async () => {
    expect(await shown((frame) => frame, freshHome())).toEqual({ code: 0, refusal: "" });
  });
});

describe("the wire", () => {
  test("an answer of another kind ends the command", async () => {
    const lie = about("devices", ({ header }) => ({ header: { type: "ok", rid: header["rid"] ?? 0 }, parts: [] }));
    expect(verdict(await liar.lying(lie, () => house.run(["devices"])))).toEqual([1, "", "relay-odd"]);
  });

  test("a header that no relay sends ends the command", async () => {
    const lie = about("devices", ({ header, parts }) => ({ header: { ...header, surprise: true }, parts }));
    expect(verdict(await liar.lying(lie, () => house.run(["devices"])))).toEqual([1, "", "relay-odd"]);
  });

  test("terminal control in a relay's words is written out", async () => {
    const lie = about("welcome", () => ({
      header: { type: "failed", code: "busy", message: "\u001b[2Jgone" },
      parts: [],
    }));
    const { stderr } = await liar.lying(lie, () => house.run(["devices"]));
    expect(stderr).toContain("relay-refused: the relay refused: busy: \\u{1b}[2Jgone");
  });
});
