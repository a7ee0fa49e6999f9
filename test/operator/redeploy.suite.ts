// After a reset: who has come over, by each device's last word under its old key, and what a home remembers of the organisation before.
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  type Predecessor,
  predecessorsOf,
  readPredecessors,
  writePredecessors,
} from "../../operator/home/predecessor.ts";
import type { Redeploy } from "../../operator/tenant/redeploy.ts";
import { toBase64url } from "../../protocol/bytes.ts";
import { device } from "../cast/device.ts";
import { digestOf } from "../cast/random.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";
import { expectDone, OperatorHouse } from "./house.ts";
import { SocketDevice } from "./socket-device.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "keybound-predecessor-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function acme(): Predecessor {
  const tenant = new Tenant();
  const log = new RosterLog(tenant);
  log.admit(device("web1"));
  const change = { type: "group.change", group: "web", add: [device("web1").id], remove: [] } as const;
  log.append(change, [tenant.founder.signer]);
  return predecessorsOf(tenant.state, log.roster);
}

describe("what a home remembers of the organisation before", () => {
  test("is nothing where it took nobody's place", () => {
    expect(readPredecessors(folder())).toEqual([]);
  });

  test("is its devices with their keys, names, classes and groups, for its user alone", () => {
    const home = folder();
    writePredecessors(home, [acme()]);
    const { id, signer } = device("web1");
    const sig = toBase64url(signer.publicKey);
    expect(readPredecessors(home)).toEqual([
      {
        tenant: new Tenant().id,
        name: "Acme",
        epoch: 1,
        devices: [{ device: id, sig, name: "web1", class: "standard", groups: ["web"] }],
      },
    ]);
    expect(statSync(join(home, "predecessor.json")).mode & 0o777).toBe(0o600);
  });

  test.each([
    ["is cut", '{"version":1,"ten'],
    ["has a member that is not known", '{"version":1,"tenants":[],"more":1}'],
  ])("is refused where the file %s", (_what, content) => {
    const home = folder();
    writeFileSync(join(home, "predecessor.json"), content);
    expect(() => readPredecessors(home)).toThrow("home-broken");
  });
});

describe("keybound devices --redeploy", () => {
  let house: OperatorHouse;
  const old: SocketDevice[] = [];
  let now: SocketDevice;
  let tenant = "";

  const WORDS = ["web1", "web2", "web3", "db1"];

  beforeAll(async () => {
    house = await OperatorHouse.open();
    expectDone(await house.init());
    const before = await house.package("before.json");
    for (const word of WORDS) {
      old.push(
        await SocketDevice.enrol(house.url, { file: before.file, word: `old ${word}`, host: `${word}.example` }),
      );
    }
    expectDone(await house.unlocked(["group", "add", "web", "web1", "web2"]));
    const { tenant: first }: { tenant: string } = JSON.parse(expectDone(await house.run(["status", "--json"])).stdout);
    const claim = house.relay.newClaimCode(first);
    const args = ["tenant", "reset", "--claim", claim, "--confirm", "Acme", "--acknowledge", "--no-recovery-file"];
    expectDone(await house.unlocked([...args, "--copy", house.path("copy.json")]));
    const after = await house.package("after.json");
    now = await SocketDevice.enrol(house.url, { file: after.file, word: "new web1", host: "web1.example" });
    expectDone(await house.unlocked(["group", "add", "web", "web1"]));
    const found: { tenant: string } = JSON.parse(expectDone(await house.run(["status", "--json"])).stdout);
    tenant = found.tenant;
  }, 120_000);

  afterAll(async () => {
    await Promise.all([...old, now].map((one) => one.close()));
    await house[Symbol.asyncDispose]();
  });

  async function redeploy(): Promise<Redeploy> {
    const found: Redeploy = JSON.parse(expectDone(await house.run(["devices", "--redeploy", "--json"])).stdout);
    return found;
  }

  test("counts nobody who has not said so, and names devices as the roster before did", async () => {
    const { total, cameOver, named, devices } = await redeploy();
    expect([total, cameOver, named]).toEqual([4, 0, true]);
    expect(devices.map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual([
      "db1 waits",
      "web1 waits",
      "web2 waits",
      "web3 waits",
    ]);
  });

  test("follows each to where it went, and says why one refused", async () => {
    const [web1, web2, web3, db1] = old;
    const other = digestOf("another device");
    await web1?.report({ moved: { tenant, device: now.device.id } });
    await web2?.report({ moved: { tenant, device: other } });
    await web3?.report({ moved: { tenant: digestOf("another owner"), device: other } });
    await db1?.report({ refused: { tenant, name: "Acme", epoch: 2, code: "trust-needed", time: Date.now() } });
    const { stdout } = expectDone(await house.run(["devices", "--redeploy"]));
    const lines = stdout.split("\n").map((line) => line.replace(/ {2,}/g, " | "));
    expect(lines.toSorted()).toEqual(
      [
        "",
        "1 of 4 came over",
        "DEVICE | NOW | STATE",
        "db1 | refused the package: trust-needed: repeat with --trust and the value that was printed with the package | online",
        "web1 | came over as web1 | -",
        "web2 | bound here, and has not reached the relay yet | online",
        "web3 | WENT TO ANOTHER ORGANISATION | online",
      ].toSorted(),
    );
  });

  test("says of one whose agent was uninstalled that it was", async () => {
    await old[3]?.report({ left: { journal: { seq: 7, hash: digestOf("journal") } } });
    const { stdout } = expectDone(await house.run(["devices", "--redeploy"]));
    expect(stdout).toMatch(/^db1 +its agent was uninstalled: /m);
  });

  test("says that names are not known where the home before was lost", async () => {
    rmSync(join(house.home, "predecessor.json"));
    const { stdout } = expectDone(await house.run(["devices", "--redeploy"]));
    expect(stdout).toMatch(/^web1\.example +came over as web1 +-$/m);
    expect(stdout).toContain("names before the reset are not known in this home");
  });
});
