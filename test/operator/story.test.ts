// The operator's program as a person uses it: real processes, a real relay, a real agent.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectDone, OperatorHouse } from "./house.ts";
import { SocketDevice } from "./socket-device.ts";

let house: OperatorHouse;
let file: { file: string; pin: string };
const web: SocketDevice[] = [];

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init());
  file = await house.package("acme.json", ["--group", "web"]);
  await house.agent("agent", file);
  for (const word of ["web1", "web2"]) {
    web.push(await SocketDevice.enrol(house.url, { file: file.file, word, host: `${word}.example` }));
  }
  await house.pending(3);
}, 60_000);

afterAll(async () => {
  await Promise.all(web.map((device) => device.close()));
  await house[Symbol.asyncDispose]();
});

/** What `devices --json` says. */
async function devices(): Promise<
  readonly { name?: string; host?: string; pending: boolean; groups?: string[]; id: string }[]
> {
  return JSON.parse(expectDone(await house.run(["devices", "--json"])).stdout);
}

async function ownName(): Promise<string> {
  const own = (await devices()).find(({ host, pending }) => !pending && host?.endsWith(".example") === false);
  return own?.name ?? "";
}

describe("a new organisation", () => {
  test("has a home that only its user can read", () => {
    expect(statSync(house.home).mode & 0o777).toBe(0o700);
    for (const name of ["config.json", "setup-secret", "access-key.json", "access-grant.json", "cache.db"]) {
      expect([name, statSync(`${house.home}/${name}`).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  test("keeps the passphrase nowhere in it", () => {
    for (const name of ["config.json", "setup-secret", "access-key.json"]) {
      expect(readFileSync(`${house.home}/${name}`, "utf8")).not.toContain("abdomen");
    }
  });

  test("has a package that only its user can read", () => {
    expect(statSync(file.file).mode & 0o777).toBe(0o600);
  });

  test("is not made twice in one home", async () => {
    const { code, stderr } = await house.init();
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: home-exists: ")]);
  });

  test("is not made by a claim code that the relay did not print, and leaves no home", async () => {
    const home = house.path("other-home");
    const { code, stderr } = await house.unlocked([
      "init",
      "--relay",
      house.url,
      "--claim",
      "AAAAA-AAAAA-AAAAA-AAAAA",
      "--org",
      "Other",
      "--name",
      "Eve",
      "--acknowledge",
      "--no-recovery-file",
      "--home",
      home,
    ]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: claim-refused: ")]);
    expect(() => statSync(`${home}/config.json`)).toThrow("ENOENT");
  });

  test("is not made without the acknowledgement", async () => {
    const { code, stderr } = await house.unlocked([
      "init",
      "--relay",
      house.url,
      "--claim",
      "X",
      "--org",
      "Other",
      "--name",
      "Eve",
      "--home",
      house.path("none"),
    ]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: acknowledge-needed: ")]);
  });

  test("is not made with a passphrase that is easy to guess, and the reasons are said", async () => {
    const weak = house.path("weak");
    writeFileSync(weak, "acme2026\n");
    const { code, stderr } = await house.run([
      "init",
      "--relay",
      house.url,
      "--claim",
      "X",
      "--org",
      "Acme",
      "--name",
      "Eve",
      "--acknowledge",
      "--no-recovery-file",
      "--home",
      house.path("none"),
      "--passphrase-file",
      weak,
    ]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/keybound: passphrase-weak: .*within about 10\^\d guesses/),
    ]);
  });
});

describe("a job", () => {
  test("runs on an agent that is admitted by its token as soon as somebody unlocks", async () => {
    const { stdout } = expectDone(await house.unlocked(["group"].concat("add", "first", "web1")));
    expect(stdout).toContain("first: web1");
    const name = await ownName();
    const ran = await house.unlocked(["run", "--on", name, "--", "sh", "-c", "echo out; echo err >&2"]);
    expect(ran).toEqual({ code: 0, stdout: "out\n", stderr: "err\n" });
  });

  test("that fails says how, and ends with 1", async () => {
    const ran = await house.unlocked(["run", "--on", await ownName(), "--stdin", "-", "--", "cat; exit 7"], {
      input: "given",
    });
    expect(ran).toEqual({ code: 1, stdout: "given", stderr: `${await ownName()}: exited 7\n` });
  });

  test("of one device ends with the job's own exit code where that is asked for", async () => {
    const name = await ownName();
    const ran = await house.unlocked(["run", "--on", name, "--exit-code", "--", "exit 7"]);
    expect(ran).toEqual({ code: 7, stdout: "", stderr: `${name}: exited 7\n` });
    const absent = await house.unlocked(["run", "--on", name, "--exit-code", "--shell", "powershell", "--", "exit 7"]);
    expect([absent.code, absent.stderr]).toEqual([255, expect.stringContaining("refused shell-absent")]);
    const many = await house.unlocked(["run", "--all", "--exit-code", "--", "exit 7"]);
    expect([many.code, many.stderr]).toEqual([255, expect.stringContaining("--exit-code is one device's")]);
  });

  test("can be shown, exported, and verified without a network", async () => {
    const listed: { job: string; title: string }[] = JSON.parse(expectDone(await house.run(["jobs", "--json"])).stdout);
    const newest = listed.find(({ title }) => title === "cat; exit 7");
    const folder = house.path("evidence");
    const shown = expectDone(await house.run(["job", "show", newest?.job.slice(0, 8) ?? "", "--export", folder]));
    expect(shown.stdout).toContain("exited 7");
    const receipt = `${folder}/receipt-${await ownName()}.json`;
    const { stdout } = expectDone(await house.run(["verify", receipt]));
    expect(stdout).toMatch(/^verified: receipt [\w-]{43}\n {2}receipt \d+ of /);
    const edited = readFileSync(receipt, "utf8").replace(/"payload":"(.{40})./, '"payload":"$1A');
    writeFileSync(receipt, edited);
    const changed = await house.run(["verify", receipt]);
    expect([changed.code, changed.stderr]).toEqual([1, expect.stringContaining("does not verify")]);
  });

  test("for two devices is one job, with their lines told apart and their results together", async () => {
    const running = house.unlocked(["run", "--on", "web1,web2", "--", "uptime"]);
    for (const device of web) {
      const job = await device.job();
      device.take(job);
      device.stream(job, ["up ", "for ever\n"]);
      await device.answer(job, "up for ever\nand a day\n");
    }
    const { code, stdout, stderr } = await running;
    expect(stdout.split("\n").toSorted()).toEqual([
      "",
      "web1: and a day",
      "web1: up for ever",
      "web2: and a day",
      "web2: up for ever",
    ]);
    expect([code, stderr]).toEqual([0, "web[1-2] (2): exited 0\n"]);
  });

  test("for two devices is counted, and --failed leaves out who succeeded", async () => {
    const [newest]: { job: string }[] = JSON.parse(expectDone(await house.run(["jobs", "--json"])).stdout);
    const show = ["job", "show", newest?.job ?? ""];
    expect(expectDone(await house.run(show)).stderr).toContain("2 of 2 answered: 2 exited 0\n");
    const failed = JSON.parse(expectDone(await house.run([...show, "--failed", "--json"])).stdout);
    expect(failed).toMatchObject({ devices: [], counts: { total: 2, succeeded: 2, failed: 0, waiting: 0 } });
  });

  test("that a device took without an answer is shown by its word, marked as unsigned", async () => {
    const running = house.unlocked(["run", "--on", "web1", "--", "true"]);
    const [device] = web;
    const job = await device?.job();
    if (job !== undefined) device?.take(job, "signer-unknown");
    const { code, stderr } = await running;
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(
        "web1: refused signer-unknown: no key that is known here signed (by the device's word, not signed)",
      ),
    ]);
  });

  test("whose stream is not what the device signed is refused", async () => {
    const running = house.unlocked(["run", "--on", "web2", "--", "true"]);
    const [, device] = web;
    const job = await device?.job();
    if (job !== undefined) {
      device?.take(job);
      device?.stream(job, ["all is well\n"]);
      await device?.answer(job, "all is lost\n");
    }
    const { code, stderr } = await running;
    expect([code, stderr]).toEqual([1, expect.stringContaining("web2: NOT VERIFIED output-differs")]);
  });

  test("stays queued when nobody waits any longer", async () => {
    const { code, stderr } = await house.unlocked(["run", "--on", "web1", "--wait-timeout", "1s", "--", "true"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^sent; 1 device of 1 has not answered yet; see keybound job show [\w-]{22}\n$/),
    ]);
  });

  test("can be left to itself by Ctrl-C", async () => {
    const running = house.unlocked(["run", "--on", "web1", "--", "true"], {
      onStart: (child) =>
        void web[0]
          ?.job()
          .then(() => web[0]?.job())
          .then(() => child.kill("SIGINT")),
    });
    const { code, stderr } = await running;
    expect([code, stderr]).toEqual([1, expect.stringContaining("sent; 1 device of 1 has not answered yet")]);
  });
});

describe("what cannot be done is said with its code", () => {
  const cases: readonly (readonly [what: string, args: readonly string[], code: string])[] = [
    [
      "an unknown device",
      ["run", "--on", "web9", "--", "true"],
      "device-unknown: the roster has no such device: web9\nhint: is web1 meant?",
    ],
    ["an unknown group", ["run", "--group", "none", "--", "true"], "group-unknown: "],
  ];

  test.each(cases)("%s", async (_what, args, code) => {
    const ran = await house.unlocked(args);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining(`keybound: ${code}`)]);
  });

  test("an empty group", async () => {
    expectDone(await house.unlocked(["group", "remove", "first", "web1"]));
    const { code, stderr } = await house.unlocked(["run", "--group", "first", "--", "true"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("keybound: group-empty: the group has no devices: first"),
    ]);
  });

  test("a wrong passphrase, without a hint of what was near", async () => {
    const wrong = house.path("wrong");
    writeFileSync(wrong, "abdomen stunned pusher zoning abide wagom\n");
    const { code, stderr } = await house.run(["run", "--all", "--passphrase-file", wrong, "--", "true"]);
    expect([code, stderr]).toEqual([
      1,
      "keybound: passphrase-wrong: this is not the passphrase\nhint: type it again; forgotten: keybound key forgot\n",
    ]);
  });

  test("no passphrase and nobody to ask", async () => {
    const { code, stderr } = await house.run(["run", "--all", "--", "true"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: passphrase-needed: ")]);
  });

  test("a removal that nobody confirmed", async () => {
    const { code, stderr } = await house.unlocked(["devices", "remove", "web2"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: yes-needed: ")]);
  });

  test("a home that others can read", async () => {
    const home = house.path("open-home");
    mkdirSync(home, { mode: 0o755 });
    writeFileSync(`${home}/config.json`, "{}");
    const { code, stderr } = await house.run(["devices", "--home", home]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: home-unsafe: ")]);
    rmSync(home, { recursive: true });
  });

  test("no home at all", async () => {
    const { code, stderr } = await house.run(["devices", "--home", house.path("nowhere")]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound: home-missing: ")]);
  });

  test("several words for a shell that has no command line", async () => {
    const { code, stderr } = await house.run(["run", "--all", "--shell", "python", "--", "a", "b"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("keybound: misuse: ")]);
  });

  test("an option that does not exist", async () => {
    const { code, stderr } = await house.run(["run", "--everything"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("unknown option '--everything'")]);
  });
});

describe("a device that was removed", () => {
  test("is gone, and does not come back by its old token", async () => {
    expect(expectDone(await house.unlocked(["devices", "remove", "web2", "--yes"])).stdout).toBe("removed web2\n");
    const { stderr } = expectDone(await house.unlocked(["devices", "name", "web1", "front1"]));
    expect(stderr).toBe("");
    expect((await devices()).filter(({ pending }) => !pending).map(({ name }) => name)).toEqual(
      expect.not.arrayContaining(["web2"]),
    );
  });
});
