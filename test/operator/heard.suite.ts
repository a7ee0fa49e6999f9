// After a key event: who has heard of it, told by what devices and colleagues signed, through a relay that may lie about all of it.
import type { ChildProcess } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Heard } from "../../operator/keys/who-heard.ts";
import { signBindingReport } from "../../protocol/binding-report.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import type { LogPlace } from "../../protocol/fields.ts";
import { device } from "../cast/device.ts";
import { digestOf } from "../cast/random.ts";
import { expectDone, OperatorHouse, type Ran } from "./house.ts";
import { type Lie, LyingRelay } from "./lying-relay.ts";
import { SocketDevice } from "./socket-device.ts";
import { type Colleague, founder, hire } from "./staff.ts";

let liar: LyingRelay;
let house: OperatorHouse;
let grace: Colleague;
let web1: SocketDevice;
let web2: SocketDevice;
/** Place of the newest entry. */
let newest = 1;

beforeAll(async () => {
  liar = await LyingRelay.open();
  house = await OperatorHouse.open({ front: liar.url });
  liar.upstream = house.relay.url;
  expectDone(await house.init());
  const { file } = await house.package("acme.json");
  web1 = await SocketDevice.enrol(liar.url, { file, word: "web1", host: "web1.example" });
  web2 = await SocketDevice.enrol(liar.url, { file, word: "web2", host: "web2.example" });
  expectDone(await house.unlocked(["group", "add", "web", "web1"]));
  grace = await hire(house, await founder(house), { name: "Grace", role: "operator" });
}, 60_000);

afterAll(async () => {
  await Promise.all([web1.close(), web2.close()]);
  await house[Symbol.asyncDispose]();
  await liar[Symbol.asyncDispose]();
});

/** Appends a key event, by giving Grace the other role. */
async function event(over: readonly string[] = [], onStart: (child: ChildProcess) => void = () => undefined) {
  newest += 1;
  const role = newest % 2 === 0 ? "admin" : "operator";
  return expectDone(await house.unlocked(["role", "set", "Grace", role, "--yes", ...over], { onStart }));
}

function heardIn({ stdout }: Ran): Heard {
  const { heard }: { heard: Heard } = JSON.parse(stdout);
  return heard;
}

/** The device reports the next entry as soon as it hears of it. */
async function reportsNext(of: SocketDevice, over: { readonly id?: string } = {}): Promise<LogPlace> {
  const keyHead = { ...(await of.hears(newest)), ...over };
  await of.report({ keyHead });
  return keyHead;
}

function about(type: string, change: Lie): Lie {
  return (frame) => (frame.header["type"] === type ? change(frame) : frame);
}

/** Every binding report that passes is another one; in a listing they follow the requests. */
function reports(change: (report: Uint8Array) => Uint8Array): Lie {
  return (frame) => {
    const parts = frame.parts.map((part) => (isReport(part) ? change(part) : part));
    return { header: frame.header, parts };
  };
}

function isReport(part: Uint8Array): boolean {
  try {
    return readEnvelope(part).payloadType.includes("binding-report");
  } catch {
    return false;
  }
}

describe("after a key event", () => {
  test("it is shown who has heard, as soon as all who are online have", async () => {
    const ran = event();
    await Promise.all([reportsNext(web1), reportsNext(web2)]);
    expect((await ran).stderr.split("\n").slice(-3)).toEqual([
      "entry 2 is known to all 2 devices",
      "colleagues: Grace has not been here yet",
      "",
    ]);
  });

  test("a device that is online and says nothing is named", async () => {
    const ran = event();
    await reportsNext(web1);
    expect((await ran).stderr).toContain("entry 3 is known to 1 of 2 devices; not yet: web2 (online)\n");
  });

  test("nobody is waited for where that is not wanted", async () => {
    const { stderr } = await event(["--no-wait"]);
    expect(stderr).toContain("entry 4 is known to 0 of 2 devices; not yet: web[1-2] (online)\n");
  });

  test("Ctrl-C ends the waiting, and the act stands", async () => {
    let child: ChildProcess | undefined;
    let lists = 0;
    // The first listing is for admissions, the second is what the waiting begins with.
    const interrupt: Lie = about("devices", (frame) => {
      lists += 1;
      if (lists === 2) setTimeout(() => child?.kill("SIGINT"), 500);
      return frame;
    });
    const { stdout, stderr } = await liar.lying(interrupt, () => event([], (started) => (child = started)));
    expect([stdout, stderr]).toEqual([
      expect.stringContaining("Grace"),
      expect.stringContaining("entry 5 is known to 0 of 2 devices; not yet: web[1-2] (online)\n"),
    ]);
  });

  test("the same is data with --json, and nothing of it is said besides", async () => {
    const ran = event(["--json"]);
    const keyHead = await reportsNext(web1);
    const { stdout, stderr } = await ran;
    expect(stderr).not.toContain("known to");
    expect(heardIn({ code: 0, stdout, stderr })).toEqual({
      place: keyHead,
      devices: {
        total: 2,
        known: 1,
        notYet: [{ id: web2.device.id, name: "web2", online: true, seenAt: expect.any(Number), keyLog: 2 }],
        odd: [],
      },
      colleagues: [{ operator: expect.any(String), name: "Grace", knows: false }],
    });
  });

  test("a colleague knows the log as far as they unlocked for, and not the entry after that", async () => {
    expectDone(await grace.unlocked(["unlock", "--for", "day"]));
    expectDone(await grace.run(["lock"]));
    const heard = heardIn(await event(["--json", "--no-wait"]));
    expect(heard.colleagues[0]).toMatchObject({ name: "Grace", knows: false, keyLog: newest - 1 });
  });
});

describe("a relay that lies", () => {
  test("makes no device hear by a report that another key signed", async () => {
    const forged = reports((part) => {
      const { payload } = readEnvelope(part);
      return signBindingReport(JSON.parse(new TextDecoder().decode(payload)), device("evil").signer);
    });
    const heard = await liar.lying(forged, async () => {
      const ran = event(["--json"]);
      await reportsNext(web1);
      return heardIn(await ran);
    });
    expect(heard.devices.known).toBe(0);
  });

  test("sets nobody back by a report of an older place that it replays", async () => {
    let old: Uint8Array | undefined;
    await liar.lying(
      reports((part) => (old ??= part)),
      () => house.run(["devices"]),
    );
    const ran = event(["--json"]);
    await Promise.all([reportsNext(web1), reportsNext(web2)]);
    expect(heardIn(await ran).devices.known).toBe(2);
    const replay = reports((part) => old ?? part);
    const { stdout } = await liar.lying(replay, () => house.run(["devices", "--json"]));
    const rows: readonly { readonly name: string; readonly keyLog: number }[] = JSON.parse(stdout);
    expect(rows.map(({ name, keyLog }) => [name, keyLog])).toEqual([
      ["web1", newest],
      ["web2", newest],
    ]);
  });

  test("cannot hide that a device follows another line", async () => {
    const ran = event();
    const { id } = await reportsNext(web1, { id: digestOf("another entry") });
    const { stderr } = await ran;
    expect(stderr).toContain(
      `ANOTHER KEY LOG: web1 has signed for entry ${newest} ${id}, and here another entry stands there\n`,
    );
    expect(stderr).toContain(`entry ${newest} is known to 0 of 2 devices; not yet: web2 (online)\n`);
  });
});
