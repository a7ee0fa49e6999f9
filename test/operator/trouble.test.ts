// What goes wrong without anybody's malice: no relay, a wrong clock, a full disk, two commands at once.
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openHome, writeGrant } from "../../operator/home/home.ts";
import { grantFor } from "../../operator/unlock/access.ts";
import { keyringOf } from "../../operator/unlock/keyring.ts";
import { stretchOrigin } from "../../operator/unlock/unlock-typed.ts";
import { keysOf, stretchPassphrase } from "../../protocol/passphrase.ts";
import { expectDone, MAIN, OperatorHouse, PASSPHRASE, type Ran, runProgram } from "./house.ts";

let house: OperatorHouse;

beforeAll(async () => {
  // A relay whose clock is an hour ahead: only signing jobs minds that.
  house = await OperatorHouse.open({ clockOffMs: 3_600_000 });
  expectDone(await house.init());
}, 60_000);

afterAll(() => house[Symbol.asyncDispose]());

/** A copy of the home, to be spoilt. */
function copyOfHome(name: string): string {
  const home = house.path(name);
  cpSync(house.home, home, { recursive: true });
  chmodSync(home, 0o700);
  return home;
}

test("a clock that is far off the relay's signs no job", async () => {
  const { code, stderr } = await house.unlocked(["run", "--all", "--", "true"]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: clock-off: ")]);
});

test("a clock that is said to be right signs, and then the empty roster is what stops it", async () => {
  const { code, stderr } = await house.unlocked(["run", "--all", "--ignore-clock", "--", "true"]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: no-targets: ")]);
});

test("a relay that is not there is said with its address", async () => {
  const home = copyOfHome("lonely");
  const config = join(home, "config.json");
  writeFileSync(config, readFileSync(config, "utf8").replace(house.url, "ws://127.0.0.1:9"));
  const { code, stderr } = await house.run(["devices", "--home", home]);
  expect([code, stderr]).toEqual([
    1,
    "keybound: relay-unreachable: the relay does not answer: ws://127.0.0.1:9 (ECONNREFUSED), directly: it is a relay without TLS\nhint: check that it runs, its address in the home folder's config.json, and the network\n",
  ]);
});

test("a wrong passphrase is said although the relay is not there", async () => {
  const home = house.path("lonely");
  const wrong = house.path("wrong");
  writeFileSync(wrong, "something else\n");
  const { code, stderr } = await house.run(["run", "--all", "--home", home, "--passphrase-file", wrong, "--", "true"]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: passphrase-wrong: ")]);
});

test("a new organisation at a relay that is not there leaves no home", async () => {
  const home = house.path("unborn");
  const { code, stderr } = await house.init(["--relay", "ws://127.0.0.1:9", "--home", home]);
  expect([code, stderr, existsSync(join(home, "config.json"))]).toEqual([
    1,
    expect.stringContaining("keybound: relay-unreachable: "),
    false,
  ]);
});

test("a file where a folder should be is a home that cannot be written", async () => {
  const home = house.path("a-file");
  writeFileSync(home, "");
  const { code, stderr } = await house.init(["--home", join(home, "below")]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: file-unwritable: ")]);
});

test("a disk that takes no more is called full, and no home is left", async () => {
  const home = house.path("full");
  const claim = house.relay.newClaimCode();
  const args = [
    "init",
    "--relay",
    house.url,
    "--claim",
    claim,
    "--org",
    "Full",
    "--name",
    "Ada",
    "--acknowledge",
    "--no-recovery-file",
  ];
  const { code, stderr } = await onFullDisk([...args, "--home", home]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: disk-full: ")]);
  expect(readdirSync(home)).toEqual([]);
});

test("a disk that becomes full later is called full, and the home still works when there is room", async () => {
  const home = copyOfHome("filling");
  const { code, stderr } = await onFullDisk(["package", "--home", home, "--out", house.path("full.json")]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: disk-full: ")]);
  expectDone(await house.run(["devices", "--home", home]));
});

/** Runs the program where no file may grow: a limit that the system sets answers a write as a full disk does. */
function onFullDisk(args: readonly string[]): Promise<Ran> {
  const words = [process.execPath, MAIN, ...args, "--passphrase-file", house.passphraseFile];
  const limited = `trap '' XFSZ; ulimit -f 0; exec ${words.map((word) => `'${word}'`).join(" ")}`;
  return runProgram("-c", [limited], { program: "/bin/sh" });
}

test("access that has ended is said, and the passphrase renews it", async () => {
  const home = copyOfHome("late");
  const opened = openHome(home, process.platform);
  const { access } = opened;
  const { operator, tenant } = opened.config;
  const stretched = await stretchPassphrase(PASSPHRASE, stretchOrigin(opened));
  const keys = keyringOf(keysOf(stretched, { operator, generation: 0 }));
  const grant = await grantFor(access, { tenant, operator, keys, now: Date.now() - 400 * 24 * 3_600_000 });
  writeGrant(home, grant);
  const late = await house.run(["devices", "--home", home]);
  expect([late.code, late.stderr]).toEqual([1, expect.stringContaining("keybound: access-expired: ")]);
  await house.package("renewing.json", ["--home", home]);
  expectDone(await house.run(["devices", "--home", home]));
});

test("the second of two commands that write waits, then says that the home is busy", async () => {
  const lock = new DatabaseSync(join(house.home, "lock.db"));
  lock.exec("BEGIN EXCLUSIVE");
  try {
    const { code, stderr } = await house.run(["devices"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("keybound: home-busy: another command is using the home folder"),
    ]);
  } finally {
    lock.close();
  }
});

test("two commands that write one after the other both succeed", async () => {
  const both = await Promise.all(["one.json", "two.json"].map((name) => house.package(name)));
  expect(both.map(({ pin }) => pin)).toEqual([both[0]?.pin, both[0]?.pin]);
});
