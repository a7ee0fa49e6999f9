// How often the passphrase is asked for: the person's choice, the policy's limit, and what never goes without it.
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { signPayload } from "../../protocol/envelope.ts";
import { keysOfSeeds, type OperatorSeeds, seedsOf, stretchPassphrase } from "../../protocol/passphrase.ts";
import type { Policy } from "../../protocol/policy.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { type Desk, openDesk } from "../../operator/desk.ts";
import { endHolder, findHolder } from "../../operator/holder/held-keys.ts";
import { startHolder } from "../../operator/holder/start.ts";
import { openSession } from "../../operator/connection/session.ts";
import { openUnlocked } from "../../operator/unlock/unlock.ts";
import { stretchOrigin } from "../../operator/unlock/unlock-typed.ts";
import type { World } from "../../operator/world.ts";
import { DAY, HOUR } from "../cast/clock.ts";
import { atTerminal } from "./at-terminal.ts";
import { expectDone, MAIN, OperatorHouse, PASSPHRASE, type Ran, runProgram } from "./house.ts";
import { seedsOf as seedsOfName, until } from "./keeper.ts";

let house: OperatorHouse;
let env: Readonly<Record<string, string>>;
let world: World;
let seeds: OperatorSeeds;
let files = 0;

beforeAll(async () => {
  house = await OperatorHouse.open();
  env = { XDG_RUNTIME_DIR: house.path("run"), NO_COLOR: "1" };
  mkdirSync(house.path("run"), { mode: 0o700 });
  const { stdin, stdout, stderr } = process;
  world = {
    now: () => Date.now(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    env,
    platform: process.platform,
    homeFolder: house.folder,
    itself: [process.execPath, "--disable-sigusr1", MAIN],
    stdin,
    stdout,
    stderr,
    onInterrupt: () => () => undefined,
    onUnread: () => () => undefined,
  };
  expectDone(await house.init());
  using at = desk();
  const { operator } = at.home.config;
  seeds = seedsOf(await stretchPassphrase(PASSPHRASE, stretchOrigin(at.home)), { operator, generation: 0 });
}, 60_000);

afterEach(async () => {
  await endHolder({ folder: house.home }, world);
});

afterAll(() => house[Symbol.asyncDispose]());

function run(args: readonly string[]): Promise<Ran> {
  return house.run(args, { env });
}

/** Types the passphrase where no holder is asked. */
function withPassphrase(args: readonly string[]): Promise<Ran> {
  return house.unlocked(args, { env });
}

/** As `keybound unlock` does, without stretching the passphrase again. */
function unlock(lifetimeMs = DAY): Promise<void> {
  return startHolder({ folder: house.home }, world, { seeds, lifetimeMs });
}

/** A command that signs. */
function signing(): readonly string[] {
  return ["package", "--out", house.path(`package-${++files}.json`)];
}

function saying(code: string) {
  return [1, expect.stringContaining(`keybound: ${code}: `)];
}

async function isUnlocked(): Promise<boolean> {
  return (await findHolder({ folder: house.home }, world)) !== undefined;
}

function desk(): Desk {
  return openDesk(world, { home: house.home });
}

/** Puts a policy into the key log, signed by the passphrase's key. */
async function setPolicy(change: Partial<Policy>): Promise<void> {
  using at = desk();
  using session = await openSession(at);
  const { state, client, now } = session;
  const place = { tenant: state.tenant, seq: state.head.seq + 1, prev: state.head.id, time: now };
  const event = { type: "policy.set", ...place, policy: { ...state.policy, ...change } };
  const bytes = signPayload("key-event", encodeStrict(event), [keysOfSeeds(seeds).signer]);
  await client.ask("ok", { type: "append", log: "key" }, [bytes]);
}

describe("unlocking", () => {
  test("for a day asks once, and the commands after it do not ask", async () => {
    const { stdout } = expectDone(await withPassphrase(["unlock", "--for", "day", "--json"]));
    const { until: end, ...rest }: { until: number } = JSON.parse(stdout);
    expect(rest).toEqual({ for: "day" });
    expect(Math.abs(end - Date.now() - DAY)).toBeLessThan(HOUR);
    expectDone(await run(signing()));
    expectDone(await run(signing()));
  });

  test("ends with lock, which is no failure where nothing is unlocked", async () => {
    await unlock();
    expect(expectDone(await run(["lock", "--json"])).stdout).toBe('{"locked":true,"wasUnlocked":true}\n');
    expect(expectDone(await run(["lock"])).stdout).toBe("it was not unlocked\n");
    const { code, stderr } = await run(signing());
    expect([code, stderr]).toEqual(saying("passphrase-needed"));
  });

  test("with a wrong passphrase unlocks nothing", async () => {
    const { code, stderr } = await house.run(["unlock", "--passphrase-file", join(house.home, "config.json")], { env });
    expect([code, stderr]).toEqual(saying("passphrase-odd"));
    expect(await isUnlocked()).toBe(false);
  });

  test("ends when the session ends in which it was done", async () => {
    const words = [process.execPath, MAIN, "unlock", "--passphrase-file", house.passphraseFile];
    const line = `${words.map((word) => `'${word}'`).join(" ")}; echo $?`;
    const options = { program: "setsid", env: { ...env, KEYBOUND_HOME: house.home } };
    const ran = await runProgram("-w", ["/bin/sh", "-c", line], options);
    expect(ran.stdout).toMatch(/^unlocked until .*\n0\n$/);
    await until(async () => !(await isUnlocked()), "it is still unlocked");
  });

  test("is not used where a script gives a passphrase: a wrong one is noticed", async () => {
    await unlock();
    const wrong = ["--passphrase-file", join(house.home, "setup-secret")];
    const { code, stderr } = await run([...signing(), ...wrong]);
    expect([code, stderr]).toEqual(saying("passphrase-wrong"));
    expect(await isUnlocked()).toBe(true);
  });

  test("by a key that is not the operator's any more is ended, and the passphrase asked for", async () => {
    using at = desk();
    await startHolder(at.home, world, { seeds: seedsOfName("other"), lifetimeMs: HOUR });
    const { code, stderr } = await run(signing());
    expect([code, stderr]).toEqual(saying("passphrase-needed"));
    expect(await isUnlocked()).toBe(false);
  });
});

test("the key holder is started by nobody by hand", async () => {
  const { code, stderr } = await run(["hold"]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("keybound: misuse: ")]);
});

describe("what needs the passphrase each time", () => {
  test("does not ask the holder, and leaves it as it is", async () => {
    await unlock();
    using at = desk();
    await expect(openUnlocked(at, { ask: "always" })).rejects.toThrow("passphrase-needed");
    expect(await isUnlocked()).toBe(true);
    const unlocked = await openUnlocked(at);
    unlocked.session[Symbol.dispose]();
  });

  test("is every act on keys: the holder signs no key event for a command either", async () => {
    await unlock();
    const held = await findHolder({ folder: house.home }, world);
    await expect(held?.keys.sign("key-event", encodeStrict({}))).rejects.toThrow("internal error: a key-event");
  });
});

describe("the choice", () => {
  test("is each task at first, and shown", async () => {
    expect(expectDone(await run(["prompt", "--json"])).stdout).toBe(
      '{"prompt":"task","policy":"week","asked":"task"}\n',
    );
  });

  test("of a day has the first command ask, at a terminal, and those after it not", async () => {
    expectDone(await run(["prompt", "day"]));
    const typed = await atTerminal(house, signing(), { steps: [["Passphrase:", `${PASSPHRASE}\r`]], env });
    expect([typed.code, typed.left]).toEqual([0, 0]);
    expectDone(await run(signing()));
    expect(expectDone(await run(["prompt"])).stdout).toMatch(/^asked {5}once in 24 hours\n[^]*\nunlocked {2}until 20/);
    expectDone(await run(["prompt", "task"]));
    expect(await isUnlocked()).toBe(false);
  });

  test("of a day makes a week that is unlocked already shorter", async () => {
    await unlock(7 * DAY);
    expectDone(await run(["prompt", "day"]));
    const held = await findHolder({ folder: house.home }, world);
    expect(held?.leftMs).toBeLessThanOrEqual(DAY);
    expectDone(await run(["prompt", "task"]));
  });

  test("of something else is misuse", async () => {
    const { code, stderr } = await run(["prompt", "never"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("keybound: misuse: ")]);
  });

  test("is kept beside everything else of the home's config", async () => {
    const config = join(house.home, "config.json");
    const before: object = JSON.parse(readFileSync(config, "utf8"));
    expectDone(await run(["prompt", "week"]));
    expect(JSON.parse(readFileSync(config, "utf8"))).toEqual({ ...before, prompt: "week" });
    expectDone(await run(["prompt", "task"]));
  });
});

describe("at a terminal", () => {
  test("a passphrase may be mistyped twice, and is said to be forgettable", async () => {
    const typed = await atTerminal(house, signing(), {
      steps: [
        ["Passphrase:", "wrong\r"],
        ["Passphrase (forgotten? keybound key forgot):", "\r"],
        ["Passphrase (forgotten? keybound key forgot):", `${PASSPHRASE}\r`],
      ],
      env,
    });
    expect([typed.code, typed.left]).toEqual([0, 0]);
    expect(typed.screen).toContain("this is not the passphrase");
    expect(typed.screen).toContain("the passphrase is empty or has control characters");
  });

  test("a passphrase that is mistyped three times is wrong", async () => {
    const later: readonly [string, string] = ["Passphrase (forgotten? keybound key forgot):", "wrong\r"];
    const typed = await atTerminal(house, signing(), { steps: [["Passphrase:", "wrong\r"], later, later], env });
    expect([typed.code, typed.left]).toEqual([1, 0]);
    expect(typed.screen).toContain("keybound: passphrase-wrong: ");
  });
});

describe("a home that has lost its access and its logs", () => {
  test("gets both back by the passphrase alone", async () => {
    const home = house.path("bare");
    cpSync(house.home, home, { recursive: true });
    for (const name of ["access-grant.json", "cache.db", "cache.db-wal", "cache.db-shm"])
      rmSync(join(home, name), { force: true });
    expectDone(await withPassphrase([...signing(), "--home", home]));
    expect(expectDone(await run(["devices", "--home", home])).stderr).toBe("no devices yet\n");
  });
});

describe("a policy", () => {
  test("of a day shortens what a week was unlocked for, and allows no more", async () => {
    await unlock(7 * DAY);
    await setPolicy({ prompt: "day" });
    expectDone(await run(signing()));
    const held = await findHolder({ folder: house.home }, world);
    expect(held?.leftMs).toBeLessThanOrEqual(DAY);
    for (const args of [
      ["prompt", "week"],
      ["unlock", "--for", "week"],
    ]) {
      const { code, stderr } = await run(args);
      expect([code, stderr]).toEqual(saying("prompt-policy"));
    }
  });

  test("of each task ends what is unlocked, and lets nothing be unlocked", async () => {
    await unlock();
    await setPolicy({ prompt: "task" });
    const { code, stderr } = await run(signing());
    expect([code, stderr]).toEqual(saying("passphrase-needed"));
    expect(await isUnlocked()).toBe(false);
    const refused = await withPassphrase(["unlock"]);
    expect([refused.code, refused.stderr]).toEqual(saying("prompt-policy"));
  });
});
