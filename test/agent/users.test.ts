// As whom a job runs: real accounts of this machine, and sessions that a stub of loginctl tells of.
import { mkdirSync, writeFileSync, chmodSync, chownSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { checkUser, findAccounts, SYSTEM_PLACES } from "../../agent/run/account.ts";
import { folder } from "./bound.ts";
import { ranOn, startedOn } from "./ran.ts";
import { placesWith, type StubSession } from "./stub-logind.ts";

const isRoot = process.getuid?.() === 0;
const root = { name: "root", home: "/root", uid: 0 };
const onLinux = { agent: root, platform: "linux", places: SYSTEM_PLACES } as const;
const daemon = { as: "user", name: "daemon" } as const;

describe("a named user", () => {
  it("is not found by a number, which is another way to name an account to the system", async () => {
    await expect(findAccounts({ as: "user", name: "1" }, onLinux)).rejects.toMatchObject({ code: "user-absent" });
  });

  it("is not found by what would be an option to the program that is asked", async () => {
    const found = findAccounts({ as: "user", name: "-s" }, onLinux);
    await expect(found).rejects.toMatchObject({ code: "user-absent" });
  });

  it("who has root's id under another name is denied", async () => {
    const programs = join(folder(), "programs");
    mkdirSync(programs);
    writeFileSync(join(programs, "getent"), "#!/bin/sh\necho toor:x:0:0::/root:/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(programs, "id"), "#!/bin/sh\necho 0\n", { mode: 0o755 });
    const places = { ...SYSTEM_PLACES, programs: [programs] };
    const found = findAccounts({ as: "user", name: "toor" }, { ...onLinux, places });
    await expect(found).rejects.toMatchObject({ code: "user-denied" });
  });

  it("with more groups than can be handed on is refused", async () => {
    const programs = join(folder(), "programs");
    mkdirSync(programs);
    writeFileSync(join(programs, "getent"), "#!/bin/sh\necho many:x:5:5::/:/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(programs, "id"), "#!/bin/sh\nseq -s ' ' 1 1025\n", { mode: 0o755 });
    const places = { ...SYSTEM_PLACES, programs: [programs] };
    const found = findAccounts({ as: "user", name: "many" }, { ...onLinux, places });
    await expect(found).rejects.toMatchObject({ code: "user-absent" });
  });

  it("may not be given variables that no shell can set", () => {
    expect(() => startedOn({ user: daemon, env: [{ name: "ProgramFiles(x86)", value: "1" }] })).toThrow(
      expect.objectContaining({ code: "platform-lacks" }),
    );
  });

  it("is who runs it where the agent is that user", async () => {
    const agent = { name: "me", home: "/home/me", uid: 1000 };
    const user = { as: "user", name: "me" } as const;
    expect(checkUser(user, { ...onLinux, agent })).toBeUndefined();
    expect(await findAccounts(user, { ...onLinux, agent })).toMatchObject([{ name: "me", home: "/home/me" }]);
  });
});

describe.runIf(isRoot)("a job of another user", () => {
  it("runs it with no right of root's left", async () => {
    const { stdout } = await ranOn({
      source: 'grep -E "^(Uid|Gid|Groups|Cap(Prm|Eff|Inh|Amb))" /proc/$$/status',
      user: daemon,
    });
    expect(
      stdout
        .replaceAll(/[ \t]+/g, " ")
        .trim()
        .split("\n"),
    ).toEqual([
      "Uid: 1 1 1 1",
      "Gid: 1 1 1 1",
      "Groups: 1 ",
      "CapInh: 0000000000000000",
      "CapPrm: 0000000000000000",
      "CapEff: 0000000000000000",
      "CapAmb: 0000000000000000",
    ]);
  });

  it("has the environment of the account and what was signed, and nothing else", async () => {
    const signed = [
      { name: "PATH", value: "/only/this" },
      { name: "ODD", value: 'it\'s $HOME `id` \\ "x"\nline two Ärger ǁ 日本\u{1f600}' },
    ];
    const { stdout } = await ranOn({
      shell: "exec",
      source: undefined,
      args: ["/usr/bin/env", "-0"],
      user: daemon,
      env: signed,
    });
    const variables = stdout.split("\0").filter((line) => line !== "" && !line.startsWith("KEYBOUND_RUN="));
    expect(variables.toSorted()).toEqual(
      [
        "HOME=/usr/sbin",
        "LANG=C.UTF-8",
        "LOGNAME=daemon",
        `ODD=${signed[1]?.value}`,
        "PATH=/only/this",
        "SHELL=/usr/sbin/nologin",
        "USER=daemon",
      ].toSorted(),
    );
  });

  it("has no descriptor of ours but that of its source", async () => {
    const { stdout } = await ranOn({ source: "ls /proc/$$/fd", user: daemon });
    expect(
      stdout
        .split("\n")
        .map(Number)
        .filter((number) => number > 2 && number < 10),
    ).toEqual([3]);
    // Without a source the place of it is empty; the third is the folder that ls reads.
    const { stdout: alone } = await ranOn({
      shell: "exec",
      source: undefined,
      args: ["/bin/ls", "/proc/self/fd"],
      user: daemon,
    });
    expect(alone.split("\n").filter((number) => /^[0-9]$/.test(number))).toEqual(["0", "1", "2", "3"]);
  });

  it("keeps its variables and its source off every command line, as long as it starts", async () => {
    const seen = new Set<string>();
    const { running } = startedOn({
      source: "secret=in-source; sleep 0.2",
      user: daemon,
      env: [{ name: "TOKEN", value: "in-environment" }],
    });
    const look = setInterval(() => {
      for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
        try {
          seen.add(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
        } catch {
          // It has ended.
        }
      }
    }, 1);
    expect((await running.done).outcome).toEqual({ type: "exited", code: 0 });
    clearInterval(look);
    expect([...seen].filter((line) => /in-source|in-environment/.test(line))).toEqual([]);
    expect([...seen].some((line) => line.includes("/dev/fd/3"))).toBe(true);
  });

  it("cannot be a way to root's rights by a library that the user could write", async () => {
    // The loader complains once for each program that it was asked to do this for: the job's shell and its id, nothing before them.
    const env = [{ name: "LD_PRELOAD", value: join(folder(), "no-library.so") }];
    const { stderr, outcome } = await ranOn({ source: "id -u", user: daemon, env });
    expect(outcome).toEqual({ type: "exited", code: 0 });
    expect(stderr.split("\n").filter((line) => line.includes("no-library.so"))).toHaveLength(2);
  });

  it("starts in its folder as itself, and where it may not enter it says so", async () => {
    expect(await ranOn({ source: "pwd", user: daemon, cwd: "/usr/lib" })).toMatchObject({ stdout: "/usr/lib\n" });
    const closed = folder();
    chmodSync(closed, 0o700);
    const denied = await ranOn({ source: "pwd", user: daemon, cwd: closed });
    expect(denied.outcome).toEqual({ type: "not-started", error: "EACCES" });
    const absent = await ranOn({ source: "pwd", user: daemon, cwd: "/no where's" });
    expect(absent.outcome).toEqual({ type: "not-started", error: "ENOENT" });
    expect(absent.left).toEqual([]);
  });

  it("whose program it may not start is told from an exit code", async () => {
    const closed = join(folder(), "program");
    writeFileSync(closed, "#!/bin/sh\nexit 0\n", { mode: 0o700 });
    const job = { shell: "exec", source: undefined, args: [closed], user: daemon };
    expect((await ranOn(job)).outcome).toEqual({ type: "not-started", error: "EACCES" });
    expect((await ranOn({ source: "exit 126", user: daemon })).outcome).toEqual({ type: "exited", code: 126 });
  });

  it("whose groups cannot be set is told from an exit code", async () => {
    const programs = join(folder(), "programs");
    mkdirSync(programs);
    writeFileSync(join(programs, "setpriv"), "#!/bin/sh\necho setpriv: setgroups failed >&2\nexit 1\n", {
      mode: 0o755,
    });
    const places = { ...SYSTEM_PLACES, programs: [programs, ...SYSTEM_PLACES.programs] };
    const { outcome } = await ranOn({ source: "exit 1", user: daemon }, { places });
    expect(outcome).toEqual({ type: "not-started", error: "EPERM" });
  });

  it("gets its input, its arguments and its time limit as anybody does", async () => {
    const fed = {
      source: 'printf "%s|" "$@"; cat',
      args: ["a b", "'", "-x"],
      stdin: Buffer.from("in").toString("base64url"),
    };
    expect((await ranOn({ ...fed, user: daemon })).stdout).toBe("a b|'|-x|in");
    const slow = await ranOn({ source: "sleep 60", user: daemon, limits: { timeMs: 400, outputBytes: 10 } });
    expect(slow.outcome).toEqual({ type: "timed-out", afterMs: 400 });
  });
});

describe("a name service that does not answer", () => {
  it("is not waited for when the job is ended, and the agent goes on meanwhile", async () => {
    const programs = join(folder(), "programs");
    mkdirSync(programs);
    writeFileSync(join(programs, "getent"), "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
    const places = { ...SYSTEM_PLACES, programs: [programs, ...SYSTEM_PLACES.programs] };
    const began = performance.now();
    const { running } = startedOn({ user: daemon }, { places, account: root });
    setTimeout(() => running.end("agent-stop"), 100);
    expect((await running.done).outcome).toEqual({ type: "cancelled", by: "agent-stop" });
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe.runIf(isRoot)("whoever is logged on", () => {
  const alice: StubSession = { id: "c2", uid: 1, name: "daemon", type: "x11" };
  const bob: StubSession = { id: "7", uid: 2, name: "bin" };
  const who = { source: 'echo "$(id -un) $XDG_SESSION_ID"' };

  it("at the console is who runs the job", async () => {
    const places = placesWith(folder(), [bob, alice], "c2");
    expect(await ranOn({ ...who, user: { as: "console" } }, { places })).toMatchObject({ stdout: "daemon c2\n" });
  });

  it("has the sockets of the own session in the environment", async () => {
    const places = placesWith(folder(), [{ ...alice, type: "wayland" }], "c2");
    const runtime = join(places.runtime, "1");
    mkdirSync(runtime, { mode: 0o700 });
    for (const name of ["bus", "wayland-0"]) {
      const server = createServer();
      onTestFinished(() => void server.close());
      await new Promise<void>((resolve) => server.listen(join(runtime, name), resolve));
      chownSync(join(runtime, name), 1, 1);
    }
    chownSync(runtime, 1, 1);
    const source = 'echo "$XDG_RUNTIME_DIR $DBUS_SESSION_BUS_ADDRESS $WAYLAND_DISPLAY $XDG_SESSION_TYPE"';
    const { stdout } = await ranOn({ source, user: { as: "console" } }, { places });
    expect(stdout).toBe(`${runtime} unix:path=${runtime}/bus wayland-0 wayland\n`);
    // Somebody else's folder under the user's number is not the user's.
    chownSync(runtime, 2, 2);
    expect((await ranOn({ source, user: daemon }, { places })).stdout).toBe("   \n");
  });

  it("nowhere at the console means that nothing is run", async () => {
    for (const session of [
      undefined,
      { ...alice, class: "greeter" },
      { ...alice, state: "closing" },
      { ...alice, uid: 0, name: "root" },
    ]) {
      const places = placesWith(folder(), session === undefined ? [] : [session], session?.id);
      const { outcome } = await ranOn({ ...who, user: { as: "console" } }, { places });
      expect(outcome).toMatchObject({ type: "refused", code: "user-absent" });
    }
  });

  it("under a name that has another id now is not taken for that account", async () => {
    const places = placesWith(folder(), [{ ...alice, uid: 4242 }], "c2");
    const { outcome } = await ranOn({ ...who, user: { as: "console" } }, { places });
    expect(outcome).toMatchObject({ type: "refused", code: "user-absent" });
  });

  it("without a logind to ask is nobody", async () => {
    const places = { ...SYSTEM_PLACES, programs: SYSTEM_PLACES.programs };
    const { outcome } = await ranOn({ ...who, user: { as: "sessions" } }, { places });
    expect(outcome).toMatchObject({ type: "refused", code: "user-absent" });
  });

  it("in each active session runs it once, one after the other, with one answer", async () => {
    const sessions = [alice, { ...bob, id: "9", state: "online" }, bob, { ...bob, id: "11" }];
    const { stdout, outcome } = await ranOn(
      { ...who, user: { as: "sessions" } },
      { places: placesWith(folder(), sessions) },
    );
    expect(stdout).toBe("daemon c2\nbin 7\nbin 11\n");
    expect(outcome).toEqual({ type: "exited", code: 0 });
  });

  it("in each session runs it although it failed in the one before, and the first failure is the outcome", async () => {
    const source = 'echo "$USER"; case "$XDG_SESSION_ID" in c2) exit 3;; 7) exit 4;; esac';
    const places = placesWith(folder(), [alice, bob, { ...bob, id: "11" }]);
    const { stdout, outcome } = await ranOn({ source, user: { as: "sessions" } }, { places });
    expect({ stdout, outcome }).toEqual({ stdout: "daemon\nbin\nbin\n", outcome: { type: "exited", code: 3 } });
  });

  it("in each session shares one time limit, which ends the rest", async () => {
    const places = placesWith(folder(), [alice, bob]);
    const job = { source: "echo here; sleep 60", user: { as: "sessions" }, limits: { timeMs: 500, outputBytes: 100 } };
    const { stdout, outcome } = await ranOn(job, { places });
    expect({ stdout, outcome }).toEqual({ stdout: "here\n", outcome: { type: "timed-out", afterMs: 500 } });
  });
});
