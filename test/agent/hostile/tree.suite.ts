// Small hostile programs under each way to hold a job on Linux: ended, and `contained` says yes only where that is known.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { folder } from "../bound.ts";
import { containmentOf, isRunning, cgroupsOf, PRELUDE, ran, start, WAYS } from "./hostile-job.ts";

const HOUR = 3_600_000;
const python = (lines: string, timeMs = HOUR, over = {}) => ({
  shell: "python",
  source: `${PRELUDE}${lines}\n`,
  limits: { timeMs, outputBytes: 10_000 },
  ...over,
});

/** Whether somebody goes on writing this file. */
async function isWriting(path: string): Promise<boolean> {
  const before = readFileSync(path, "utf8");
  await sleep(300);
  return readFileSync(path, "utf8") !== before;
}

describe.each(WAYS)("held by $name", (way) => {
  const containment = () => containmentOf(way);
  const known = (group: boolean) => (group || way.adopts ? "yes" : "unknown");
  const isKnown = known(way.versions.length > 0);

  it("a job that starts nothing else says what can be known", async () => {
    expect(await ran(python("say(os.getpid())"), containment())).toMatchObject({
      outcome: { type: "exited", code: 0 },
      contained: isKnown,
      alive: [],
    });
  });

  it("a daemon that forked twice, in a session of its own, is ended", async () => {
    const { pids, alive, contained } = await ran(python("daemon(False)"), containment());
    expect({ started: pids.length, alive, contained }).toEqual({ started: 1, alive: [], contained: isKnown });
  });

  it("a daemon that also cleared its environment is ended where it can be seen, and never said to be", async () => {
    const { pids, alive, contained } = await ran(python("daemon(True)"), containment());
    const seen = { started: 1, alive: [], contained: "yes" };
    expect({ started: pids.length, alive, contained }).toEqual(
      way.seesAll ? seen : { started: 1, alive: pids, contained: "unknown" },
    );
  });

  it("a grandchild that holds the pipes open does not hold the answer up", async () => {
    const source = `${PRELUDE}if os.fork() == 0:\n    os.setsid()\n    say(os.getpid())\n    live()\ntime.sleep(0.3)`;
    const { outcome, alive, ms } = await ran({ ...python(""), source }, containment());
    expect({ outcome, alive }).toEqual({ outcome: { type: "exited", code: 0 }, alive: [] });
    expect(ms).toBeLessThan(4_000);
  });

  it("what will not hear SIGTERM is killed after the grace time", async () => {
    const deaf = "deaf()\nif os.fork() == 0:\n    os.setsid()\n    deaf()\nsay(os.getpid())\nlive()";
    const { outcome, pids, alive, contained, ms } = await ran(python(deaf, 500), containment());
    expect({ outcome, started: pids.length, alive, contained }).toEqual({
      outcome: { type: "timed-out", afterMs: 500 },
      started: 2,
      alive: [],
      contained: isKnown,
    });
    expect(ms).toBeGreaterThan(5_000);
  });

  it("what is stopped hears SIGTERM as well, and ends in less than the grace time", async () => {
    const stopped =
      "if os.fork() == 0:\n    say(os.getpid())\n    os.kill(os.getpid(), signal.SIGSTOP)\n    live()\ntime.sleep(0.3)";
    const { alive, pids, ms } = await ran(python(stopped), containment());
    expect({ started: pids.length, alive }).toEqual({ started: 1, alive: [] });
    expect(ms).toBeLessThan(4_000);
  });

  it("a family that forks again for each that is killed is ended, where it can be seen", {
    timeout: 60_000,
  }, async () => {
    // 31 at once. All end by themselves after 20 s; none forks after 10.
    const bomb = `
end = time.time() + 10
def node(depth):
    deaf()
    signal.alarm(20)
    if depth > 0: os.setsid()
    say(os.getpid())
    children = 0
    while time.time() < end:
        if depth < 4 and children < 2:
            if os.fork() == 0: node(depth + 1)
            children += 1
        try:
            if os.waitpid(-1, os.WNOHANG)[0] > 0: children -= 1
        except ChildProcessError: pass
        time.sleep(0.02)
    live()
node(0)
`;
    const { alive, pids, contained } = await ran(python(bomb, 1_000), containment());
    expect(pids.length).toBeGreaterThan(5);
    expect({ alive, contained }).toEqual({ alive: [], contained: isKnown });
  });

  it("a process that is always another one is ended, or not said to be", { timeout: 60_000 }, async () => {
    // Each forks and ends at once; the last of them writes where it is. For ten seconds at most, or until it is told to stop.
    const hopper = `
end = time.time() + 10
deaf()
os.setsid() if os.getpid() != os.getsid(0) else None
if os.fork() == 0:
    os.setsid()
    os.environ.clear()
    while time.time() < end and not os.path.exists(sys.argv[1] + ".stop"):
        if os.fork() > 0: os._exit(0)
        signal.alarm(20)
        with open(sys.argv[1], "w") as f: f.write(str(time.time()))
    os._exit(0)
while time.time() < end and not os.path.exists(sys.argv[1]): time.sleep(0.02)
time.sleep(0.3)
`;
    const path = join(folder(), "hopper");
    const { contained } = await ran(python(hopper, HOUR, { args: [path] }), containment());
    const isAlive = await isWriting(path);
    writeFileSync(`${path}.stop`, "");
    // What still wrote while the folder is removed would keep it there.
    while (await isWriting(path));
    // Without a group it may win the race; then it is not said to have ended.
    const isHeld = way.versions.length > 0 || contained === "yes";
    expect({ contained, isAlive }).toEqual(isHeld ? { contained: "yes", isAlive: false } : { contained, isAlive });
  });

  it("what is left on purpose lives on, and the receipt says so", async () => {
    const { outcome, pids, alive, contained } = await ran(
      python("daemon(False)", HOUR, { leave: true }),
      containment(),
    );
    expect({ outcome, contained, alive }).toEqual({
      outcome: { type: "exited", code: 0 },
      contained: "left",
      alive: pids,
    });
  });

  it("one that may leave something behind and does not says what can be known", async () => {
    const { contained } = await ran(python("pass", HOUR, { leave: true }), containment());
    expect(contained).toBe(isKnown);
  });

  it("a time limit ends also what was to be left", async () => {
    const { outcome, pids, alive } = await ran(python("daemon(False)\nlive()", 1_500, { leave: true }), containment());
    expect({ outcome, started: pids.length, alive }).toEqual({
      outcome: { type: "timed-out", afterMs: 1_500 },
      started: 1,
      alive: [],
    });
  });

  it("what one job left is not taken for another's, and lives on", async () => {
    const one = containment();
    const left = await ran(python("daemon(True)", HOUR, { leave: true }), one);
    const next = await ran(python("daemon(False)"), one);
    expect({ left: left.pids.filter(isRunning), next: next.alive }).toEqual({ left: left.pids, next: [] });
  });

  it("one of two jobs at once ends, and the other goes on", async () => {
    const one = containment();
    const long = start(python("daemon(False)\ntime.sleep(2)"), one);
    const short = await ran(python("daemon(False)"), one);
    expect(short).toMatchObject({ alive: [], contained: isKnown });
    expect((await long.running.done).outcome).toEqual({ type: "exited", code: 0 });
  });

  it("as another user it is held as well", async () => {
    const { pids, alive, contained } = await ran(
      python("daemon(True)", HOUR, { user: { as: "user", name: "daemon" } }),
      containment(),
    );
    expect({ alive, contained }).toEqual(
      way.seesAll ? { alive: [], contained: "yes" } : { alive: pids, contained: "unknown" },
    );
  });
});

describe("as root", () => {
  it("what moves itself out of the group is ended, as the agent adopts it", async () => {
    const [way] = WAYS;
    if (way === undefined) throw new Error("no way");
    const root = cgroupsOf(way)?.home;
    const source = `open("${root}/cgroup.procs", "w").write(str(os.getpid()))\ndaemon(True)`;
    const { pids, alive, contained } = await ran(python(source), containmentOf(way));
    expect({ started: pids.length, alive, contained }).toEqual({ started: 1, alive: [], contained: "yes" });
  });
});
