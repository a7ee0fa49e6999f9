// Scripts of a library as a person uses them: the operator's program, a relay and an agent as real processes, real shells.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeName } from "../../operator/devices/device-name.ts";
import { atTerminal } from "./at-terminal.ts";
import { expectDone, OperatorHouse, PASSPHRASE, type Ran } from "./house.ts";
import { SocketDevice } from "./socket-device.ts";

/** Values that a shell would obey if they were ever a part of its text. */
const HOSTILE = [
  `it's "quoted" \\ and \\\\ more`,
  "two\nlines\n\nand a last\n",
  "$(touch /tmp/keybound-hit) `touch /tmp/keybound-hit` ${HOME} $HOME",
  "%PATH% !PATH! ^& | < > ; && || #",
  "--help",
  "-n -e -- -",
  "* ? [a-z] ~ {a,b}",
  "  spaces\tand a tab  ",
  "\u{1f600} \u00e9 \u0301",
];
const own = "own";
const HIT = "/tmp/keybound-hit";

let house: OperatorHouse;
let windows: SocketDevice;

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init());
  const file = await house.package("acme.json");
  await house.agent("agent", file);
  windows = await SocketDevice.enrol(house.url, { file: file.file, word: "win1", host: "win1", platform: "windows" });
  await house.pending(2);
  const rows: { host: string }[] = JSON.parse(expectDone(await house.run(["devices", "--pending", "--json"])).stdout);
  const host = rows.map((row) => row.host).find((one) => one !== "win1");
  expectDone(await house.unlocked(["devices", "name", freeName(host ?? "", new Set()), own]));
}, 60_000);

afterAll(async () => {
  await windows?.close();
  await house[Symbol.asyncDispose]();
});

function write(name: string, head: readonly string[], code: string): string {
  const path = house.path(name);
  writeFileSync(path, `${head.map((line) => `# keybound: ${line}\n`).join("")}${code}`);
  return path;
}

async function added(name: string, head: readonly string[], code: string): Promise<void> {
  const all = [`name = ${name}`, "description = For a test", ...head];
  expectDone(await house.run(["script", "add", write(`${name}.txt`, all, code), "--force"]));
}

function run(name: string, args: readonly string[]): Promise<Ran> {
  return house.unlocked(["script", "run", name, "--on", own, ...args]);
}

describe("a value reaches the script as it is, whatever is in it", () => {
  const params = HOSTILE.map((_, at) => `param p${at}: string`);
  const given = HOSTILE.flatMap((value, at) => ["--param", `p${at}=${value}`]);
  const expected = HOSTILE.map((value) => `[${value}]`).join("");
  const variables = HOSTILE.map((_, at) => `"$KEYBOUND_PARAM_P${at}"`).join(" ");
  const cases: readonly (readonly [shell: string, pass: string, code: string])[] = [
    ["sh", "environment", `printf '[%s]' ${variables}\n`],
    ["bash", "environment", `printf '[%s]' ${variables}\n`],
    [
      "python",
      "environment",
      `import os, sys\nfor at in range(${HOSTILE.length}):\n  sys.stdout.write("[" + os.environ["KEYBOUND_PARAM_P%d" % at] + "]")\n`,
    ],
    ["sh", "arguments", `printf '[%s]' "$@"\n`],
    ["bash", "arguments", `printf '[%s]' "$@"\n`],
    ["python", "arguments", `import sys\nfor value in sys.argv[1:]:\n  sys.stdout.write("[" + value + "]")\n`],
  ];

  test.each(cases)("in %s by %s", async (shell, pass, code) => {
    await added("hostile", [`shell = ${shell}`, `pass = ${pass}`, ...params], code);
    expect(await run("hostile", given)).toEqual({ code: 0, stdout: expected, stderr: "" });
    expect(existsSync(HIT)).toBe(false);
  });
});

describe("a script of the library", () => {
  test("runs with what was given and what its header has, and its title says so without the secret", async () => {
    await added(
      "greet",
      ["shell = sh", "param who: string", "param times as TIMES: integer = 2", "param password: secret"],
      `echo "$KEYBOUND_PARAM_WHO $TIMES \${#KEYBOUND_PARAM_PASSWORD}"\n`,
    );
    writeFileSync(house.path("password"), "hunter2\n");
    const ran = await run("greet", ["--param", "who=Ada", "--param-file", `password=${house.path("password")}`]);
    expect(ran).toEqual({ code: 0, stdout: "Ada 2 7\n", stderr: "" });
    const [newest]: { job: string; title: string }[] = JSON.parse(
      expectDone(await house.run(["jobs", "--json"])).stdout,
    );
    expect(newest?.title).toBe("greet who=Ada");
    const shown = expectDone(await house.run(["job", "show", newest?.job ?? "", "--json"])).stdout;
    const { body }: { body: { env: unknown[] } } = JSON.parse(shown);
    expect(body.env).toEqual([
      { name: "KEYBOUND_PARAM_WHO", value: "Ada" },
      { name: "TIMES", value: "2" },
      { name: "KEYBOUND_PARAM_PASSWORD", value: null },
    ]);
    expect(shown).not.toContain("hunter2");
  });

  test("that was written on Windows runs in a shell, and what was put right is said", async () => {
    const path = write(
      "crlf.txt",
      ["name = from-windows", "description = For a test", "shell = sh"],
      "echo one\nexit 0\n",
    );
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("\n", "\r\n"));
    expectDone(await house.run(["script", "add", path, "--force"]));
    const { stdout, stderr } = expectDone(await run("from-windows", []));
    expect(stdout).toBe("one\n");
    expect(stderr).toContain("from-windows: signed with LF in place of CR LF");
  });

  test("has its secret in no file of the home", async () => {
    for (const name of ["cache.db", "cache.db-wal", "library/greet.json"]) {
      expect([
        name,
        existsSync(`${house.home}/${name}`) && readFileSync(`${house.home}/${name}`).includes("hunter2"),
      ]).toEqual([name, false]);
    }
  });

  test("is ended at its header's limit, unless an option says another", async () => {
    await added("slow", ["shell = sh", "timeout = 1s"], "sleep 3; echo done\n");
    expect(await run("slow", [])).toMatchObject({ code: 1, stderr: expect.stringContaining("timed out after") });
    expect(await run("slow", ["--timeout", "20s"])).toEqual({ code: 0, stdout: "done\n", stderr: "" });
  });

  test("whose value is wrong is misuse before the passphrase is asked for", async () => {
    const wrong = house.run(["script", "run", "greet", "--on", own, "--param", "times=many"]);
    expect(await wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("parameter times many: a whole number"),
    });
  });

  test("asks at a terminal for what is missing, again for what is wrong, and shows no secret", async () => {
    const { code, screen, left } = await atTerminal(house, ["script", "run", "greet", "--on", own], {
      steps: [
        ["who (string):", "Grace\r"],
        ["password (secret):", "\r"],
        ["1 to 4096 characters, not 0", "hunter2\r"],
        ["Passphrase:", `${PASSPHRASE}\r`],
      ],
      env: { NO_COLOR: "1" },
    });
    expect([code, left]).toEqual([0, 0]);
    expect(screen).toContain("Grace 2 7");
    expect(screen).not.toContain("hunter2");
  });

  test("is read from a team's folder where one is named", async () => {
    mkdirSync(house.path("team"));
    write("team/team-hello.sh", ["name = team-hello", "description = Of the team", "shell = sh"], "echo team\n");
    const ran = await run("team-hello", ["--library", house.path("team")]);
    expect(ran).toEqual({ code: 0, stdout: "team\n", stderr: "" });
    expect((await run("team-hello", [])).stderr).toContain("keybound: script-unknown: ");
  });
});

describe("a script for other platforms", () => {
  beforeAll(() => added("linux-only", ["shell = sh", "platform = linux"], "echo linux\n"));

  test("is refused as a whole where one device is of another, and the device is named", async () => {
    const ran = await house.unlocked(["script", "run", "linux-only", "--on", `${own},win1`]);
    expect([ran.code, ran.stderr]).toEqual([
      1,
      expect.stringContaining("linux-only is for linux, not for win1 (windows)"),
    ]);
  });

  test("leaves such devices out where it is told to, and names them", async () => {
    const ran = await house.unlocked(["script", "run", "linux-only", "--on", `${own},win1`, "--fitting"]);
    expect(ran).toEqual({ code: 0, stdout: "linux\n", stderr: "left out: win1 (windows)\n" });
  });

  test("runs nowhere where none is left", async () => {
    const ran = await house.unlocked(["script", "run", "linux-only", "--on", "win1", "--fitting"]);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("keybound: no-targets: ")]);
  });
});

describe("the library on the command line", () => {
  test("is a table, and names alone for a completion", async () => {
    const listed = expectDone(await house.run(["script", "list"])).stdout;
    expect(listed).toMatch(/^NAME +SHELL +PLATFORM +PARAMETERS +SHA256 +DESCRIPTION\n/);
    expect(listed).toMatch(/^greet +sh +any +who \[times\] password +[0-9a-f]{12} +For a test$/m);
    const names = expectDone(await house.run(["script", "list", "--names"])).stdout;
    expect(names).toBe("from-windows\ngreet\nhostile\nlinux-only\nslow\n");
  });

  test("shows a script with nothing in it that steers a terminal", async () => {
    await added(
      "steer",
      ["shell = sh", "param level: choice(low, high) = low -- how loud"],
      "echo '\u001b[31m\u202e'\n",
    );
    const { stdout } = expectDone(await house.run(["script", "show", "steer"]));
    expect(stdout).toContain("param         level (as KEYBOUND_PARAM_LEVEL): choice(low, high) = low -- how loud\n");
    expect(stdout).toContain("  | echo '\\u{1b}[31m\\u{202e}'\n");
  });

  test("says that a file has changed since it was copied", async () => {
    const path = write("steer.txt", ["name = steer", "description = Other", "shell = sh"], "true\n");
    expect(expectDone(await house.run(["script", "list"])).stderr).toContain(`steer: ${path} has changed since`);
    const refused = await house.run(["script", "add", path]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("keybound: script-exists: ")]);
  });

  test("adds a folder's scripts, and removes one", async () => {
    expect(expectDone(await house.run(["script", "add", "--from", house.path("team")])).stdout).toMatch(
      /^added team-hello {2}sha256 [0-9a-f]{64}\n$/,
    );
    expect(expectDone(await house.run(["script", "remove", "team-hello"])).stdout).toBe("removed team-hello\n");
    expect((await house.run(["script", "show", "team-hello"])).stderr).toContain("keybound: script-unknown: ");
  });

  test("names the line of a header that is wrong", async () => {
    const path = write("wrong.sh", ["name = wrong", "description = x", "shell = fish"], "true\n");
    const refused = await house.run(["script", "add", path]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(`wrong.sh:3: shell: sh, bash`)]);
  });
});
