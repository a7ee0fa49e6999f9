// The key holder's process, asked over its socket by its own clients and by strangers.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toBase64, toBase64url, utf8 } from "../../protocol/bytes.ts";
import { pae, payloadType } from "../../protocol/envelope.ts";
import { keysOfSeeds } from "../../protocol/passphrase.ts";
import { wrapKey } from "../../protocol/seal.ts";
import { verifySignature } from "../../protocol/signature.ts";
import { MAX_HOLDER_CONNECTIONS, MAX_HOLDER_LINE_BYTES } from "../../operator/limits.ts";
import { endHolder, type Held } from "../../operator/holder/held-keys.ts";
import { holderPlace } from "../../operator/holder/place.ts";
import { digestOf, seeded } from "../cast/random.ts";
import { isAlive, Keeper, keyOf, seedsOf, until } from "./keeper.ts";

const seeds = seedsOf("Ada");
const { signer, sealing } = keysOfSeeds(seeds);
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

let keeper: Keeper;

async function found(at = keeper): Promise<Held> {
  const held = await at.find();
  if (held === undefined) throw new Error("no holder");
  return held;
}

beforeAll(async () => {
  keeper = new Keeper();
  await keeper.start(seeds);
}, 60_000);

afterAll(() => keeper[Symbol.asyncDispose]());

describe("the key holder", () => {
  test("says whose key it has, and how long yet", async () => {
    const { keys, ageMs, leftMs } = await found();
    expect([keys.key, toBase64url(keys.sealingKey)]).toEqual([signer.key, toBase64url(sealing.publicKey)]);
    expect(ageMs + leftMs).toBeGreaterThan(3_599_000);
  });

  test.each(["job", "roster-event", "checkpoint", "deployment", "access-grant"] as const)(
    "signs a %s",
    async (kind) => {
      const payload = utf8(`{"of":"${kind}"}`);
      const signature = await (await found()).keys.sign(kind, payload);
      const message = pae(payloadType(kind), payload);
      expect(verifySignature({ publicKey: signer.publicKey, message, signature })).toBe(true);
    },
  );

  test.each([
    "key-event",
    "key-approval",
    "key-request",
    "enrolment-request",
    "receipt",
    "relay-login",
    "toString",
    "",
  ])("refuses to sign a %j, whoever asks", async (kind) => {
    const ask = JSON.stringify({ ask: "sign", kind, payload: toBase64url(utf8("{}")) });
    expect(await keeper.say(`${ask}\n`)).toBe('{"say":"refused","why":"kind"}\n');
  });

  test("opens a wrap for exactly its use", async () => {
    const contentKey = seeded("content")(32);
    const use = { purpose: "job-output", statement: digestOf("job") } as const;
    const wrap = wrapKey(contentKey, { recipient: sealing.publicKey, use, random: seeded("wrap") });
    const { keys } = await found();
    expect(await keys.unwrap(wrap, use)).toEqual(contentKey);
    expect(await keys.unwrap(wrap, { ...use, purpose: "job-body" })).toBeUndefined();
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "7"],
    ["an unknown request", '{"ask":"seeds"}'],
    ["a member too many", '{"ask":"hello","more":1}'],
    ["bytes that are not UTF-8", Uint8Array.of(0xff, 0xfe)],
    ["a wrap that is none", `{"ask":"unwrap","wrap":"","purpose":"token","statement":"x"}`],
    ["a lifetime that is none", '{"ask":"shorten","lifetimeMs":-1}'],
  ])("refuses %s and stays", async (_what, line) => {
    const bytes = Buffer.concat([Buffer.from(line), Buffer.from("\n")]);
    expect(await keeper.say(bytes)).toBe('{"say":"refused","why":"form"}\n');
    expect((await found()).keys.key).toBe(signer.key);
  });

  test.each([0, 1, 31, 32, 48, 79, 80, 81, 4096])(
    "takes a wrap of %i zero bytes for one that does not open",
    async (size) => {
      const wrap = toBase64url(new Uint8Array(size));
      const ask = { ask: "unwrap", wrap, purpose: "token", statement: digestOf("token") };
      expect(await keeper.say(`${JSON.stringify(ask)}\n`)).toBe('{"say":"sealed"}\n');
    },
  );

  test("hangs up on a line that is too long and stays", async () => {
    expect(await keeper.say("x".repeat(MAX_HOLDER_LINE_BYTES + 2))).toBe("");
    expect((await found()).keys.key).toBe(signer.key);
  });

  test("hangs up on who is too slow, and answers others meanwhile", async () => {
    const slow = Array.from({ length: MAX_HOLDER_CONNECTIONS - 4 }, () => keeper.say('{"ask":'));
    expect((await found()).keys.key).toBe(signer.key);
    expect(new Set(await Promise.all(slow))).toEqual(new Set([""]));
  });

  test("lives through more connections than it takes", async () => {
    const sockets = Array.from({ length: 3 * MAX_HOLDER_CONNECTIONS }, () => createConnection(keeper.place.address));
    for (const socket of sockets) socket.on("error", () => undefined);
    await Promise.all(
      sockets.map((socket) => new Promise((resolve) => socket.on("connect", resolve).on("error", resolve))),
    );
    for (const socket of sockets) socket.destroy();
    await until(async () => (await keeper.find()) !== undefined, "it answers no more");
    expect((await found()).keys.key).toBe(signer.key);
  });

  test("can be told to end earlier, and not later", async () => {
    const { leftMs } = await found();
    await keeper.say('{"ask":"shorten","lifetimeMs":900000000}\n');
    expect((await found()).leftMs).toBeLessThanOrEqual(leftMs);
  });
});

describe("other users of the machine", () => {
  const connect = `import socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print("connected")
except OSError as error:
    print(error.strerror)`;

  test("find a folder of mode 0700 and a socket of mode 0600", () => {
    const { folder, address, lock } = keeper.place;
    const modes = [folder, address, lock].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o700, 0o600, 0o600]);
  });

  test.runIf(isRoot)("cannot connect, not even where they could enter the folder", () => {
    const { folder, address } = keeper.place;
    const asNobody = () =>
      spawnSync("python3", ["-c", connect, address], { uid: NOBODY, gid: NOBODY, cwd: "/", encoding: "utf8" }).stdout;
    expect(asNobody()).toBe("Permission denied\n");
    chmodSync(folder, 0o755);
    try {
      expect(asNobody()).toBe("Permission denied\n");
    } finally {
      chmodSync(folder, 0o700);
    }
  });

  test("are not asked: a folder that is open to them, or a link, has no holder in it and gets none", async () => {
    await using other = new Keeper();
    const { folder } = other.place;
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    await expect(other.start(seeds)).rejects.toThrow("holder-unsafe");
    rmSync(folder, { recursive: true });
    symlinkSync(keeper.place.folder, folder);
    await expect(other.start(seeds)).rejects.toThrow("holder-unsafe");
    expect(await other.find()).toBeUndefined();
  });

  test.runIf(isRoot)("cannot have prepared the folder", async () => {
    await using other = new Keeper();
    mkdirSync(other.place.folder, { mode: 0o700 });
    execFileSync("chown", [String(NOBODY), other.place.folder]);
    await expect(other.start(seeds)).rejects.toThrow("holder-unsafe");
  });
});

describe("the seeds", () => {
  test("are in no argument, no variable and no file, in no spelling", () => {
    const pid = keeper.pid();
    const spellings = Object.values(seeds).flatMap((seed) => {
      const bytes = Buffer.from(seed);
      return [bytes, ...[toBase64(seed), toBase64url(seed), bytes.toString("hex")].map((text) => Buffer.from(text))];
    });
    const files = readdirSync(keeper.folder, { recursive: true, encoding: "utf8" })
      .map((name) => join(keeper.folder, name))
      .filter((path) => statSync(path).isFile());
    const places = [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`, ...files];
    expect(files.length).toBeGreaterThan(1);
    for (const path of places) {
      const content = readFileSync(path);
      expect(spellings.filter((spelling) => content.includes(spelling))).toEqual([]);
    }
  });

  test("are with a process that has nothing of the one that started it", () => {
    const pid = keeper.pid();
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(1, -1);
    expect(words).toEqual([...(keeper.world.itself ?? []).slice(1), "hold"]);
    expect(readFileSync(`/proc/${pid}/environ`, "utf8")).toBe("");
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
  });

  test("are not opened to a debugger by the signal that opens one", async () => {
    process.kill(keeper.pid(), "SIGUSR1");
    expect((await found()).keys.key).toBe(signer.key);
    expect(keeper.ports()).toEqual([]);
  });
});

describe("a key holder ends", () => {
  test("when it is told to, and then answers nobody and leaves no socket", async () => {
    await using other = new Keeper();
    await other.start(seeds);
    const pid = other.pid();
    expect(await endHolder(other.home, other.world)).toBe(true);
    expect([existsSync(other.place.address), await other.find()]).toEqual([false, undefined]);
    await until(() => !isAlive(pid), "its process is still there");
    expect(await endHolder(other.home, other.world)).toBe(false);
  });

  test("at its age", async () => {
    await using other = new Keeper();
    await other.start(seeds, 1500);
    const pid = other.pid();
    await until(() => !isAlive(pid), "its process is still there");
    expect(existsSync(other.place.address)).toBe(false);
  });

  test("when it is told an age that it has already", async () => {
    await using other = new Keeper();
    await other.start(seeds);
    await other.say('{"ask":"shorten","lifetimeMs":1}\n');
    expect(await other.find()).toBeUndefined();
  });

  test("when its socket is taken away, its home goes, or a signal says so", async () => {
    await using socketless = new Keeper();
    await using homeless = new Keeper();
    await using stopped = new Keeper();
    const all = [socketless, homeless, stopped];
    for (const one of all) await one.start(seeds);
    const pids = all.map((one) => one.pid());
    rmSync(socketless.place.address);
    rmSync(join(homeless.home.folder, "config.json"));
    process.kill(stopped.pid(), "SIGTERM");
    await until(() => !pids.some(isAlive), "one of their processes is still there");
    expect(await Promise.all(all.map((one) => one.find()))).toEqual([undefined, undefined, undefined]);
  });
});

describe("starting", () => {
  test("two at once leaves one, which answers for both", async () => {
    await using other = new Keeper();
    await Promise.all([other.start(seeds), other.start(seeds)]);
    expect((await found(other)).keys.key).toBe(signer.key);
    expect(other.listeners()).toBe(1);
  });

  test("one replaces the one before", async () => {
    await using other = new Keeper();
    await other.start(seeds);
    const before = other.pid();
    await other.start(seedsOf("Ada's next"));
    expect((await found(other)).keys.key).toBe(keyOf(seedsOf("Ada's next")));
    await until(() => !isAlive(before), "the one before is still there");
  });

  test("one replaces what a killed one has left", async () => {
    await using other = new Keeper();
    await other.start(seeds);
    process.kill(other.pid(), "SIGKILL");
    await other.gone();
    expect(existsSync(other.place.address)).toBe(true);
    await other.start(seeds);
    expect((await found(other)).keys.key).toBe(signer.key);
  });

  test("two for two homes in one runtime folder do not meet", async () => {
    await using other = new Keeper();
    const world = { ...other.world, env: keeper.world.env };
    expect(holderPlace(other.home.folder, world).address).not.toBe(keeper.place.address);
  });

  test("without a runtime folder has the socket in the home", async () => {
    await using other = new Keeper();
    rmSync(other.runtime, { recursive: true });
    await other.start(seeds);
    expect(other.place.folder).toBe(other.home.folder);
    expect((await found(other)).keys.key).toBe(signer.key);
  });

  test("where a socket's path would be too long is said to fail", async () => {
    await using other = new Keeper();
    const folder = join(other.folder, "x".repeat(90));
    mkdirSync(folder, { mode: 0o700 });
    rmSync(other.runtime, { recursive: true });
    other.home.folder = folder;
    await expect(other.start(seeds)).rejects.toThrow("holder-failed");
  });
});
