// What a job may use: bounded by the kernel where there is a control group, and else the receipt says that it was not.
import { describe, expect, it } from "vitest";
import { containmentOf, LIFETIME, ran, type Way, WAYS } from "./hostile-job.ts";

const limits = { timeMs: 30_000, outputBytes: 100_000 };
const MIB = 1024 * 1024;
const way = (name: string): Way => {
  const found = WAYS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no way ${name}`);
  return found;
};
const groups = ["a control group of version 2, and adopting", "a control group of version 1, and adopting"];

describe.each(groups)("with %s", (name) => {
  const containment = () => containmentOf(way(name));

  it("no more processes live at once than were signed", async () => {
    // Each is gone after a second; the loop ends after forty tries.
    const source = "for i in $(seq 40); do sleep 1 & done 2>&1; wait";
    const { stdout, unenforced } = await ran({ source, limits: { ...limits, processes: 10 } }, containment());
    expect({ isRefused: /Cannot fork|Resource temporarily unavailable/.test(stdout), unenforced }).toEqual({
      isRefused: true,
      unenforced: [],
    });
  });

  it("as many as were signed may live", async () => {
    const source = "for i in 1 2 3 4 5 6 7 8; do sleep 0.3 & done; wait; echo all";
    const { stdout } = await ran({ source, limits: { ...limits, processes: 10 } }, containment());
    expect(stdout).toBe("all\n");
  });

  it("a job that takes more memory than was signed is killed", async () => {
    const source = `import signal; signal.alarm(${LIFETIME})\nprint("begun", flush=True)\nx = b"x" * (200 << 20)\nprint("had it")`;
    const body = { shell: "python", source, limits: { ...limits, memoryBytes: 64 * MIB } };
    const { stdout, outcome, unenforced } = await ran(body, containment());
    expect({ stdout, outcome, unenforced }).toEqual({
      stdout: "begun\n",
      outcome: { type: "signalled", signal: "SIGKILL" },
      unenforced: [],
    });
  });

  it("a job that takes less memory than was signed is not", async () => {
    const source = `x = b"x" * (100 << 20)\nprint("had it")`;
    const { stdout } = await ran(
      { shell: "python", source, limits: { ...limits, memoryBytes: 200 * MIB } },
      containment(),
    );
    expect(stdout).toBe("had it\n");
  });
});

it("without control groups the receipt names the limits that were not applied", async () => {
  const body = { source: "echo ran", limits: { ...limits, processes: 1, memoryBytes: 16 * MIB, priority: "low" } };
  const { stdout, unenforced } = await ran(body, containmentOf(way("adopting alone")));
  expect({ stdout, unenforced }).toEqual({ stdout: "ran\n", unenforced: ["processes", "memoryBytes"] });
});

it.each([
  ["low", 10],
  ["normal", 0],
  ["high", -10],
] as const)("a job of %s priority has it from its first instruction, and its children too", async (priority, nice) => {
  const source = "ps -o ni= -p $$; nice";
  const { stdout } = await ran({ source, limits: { ...limits, priority } }, containmentOf(way("adopting alone")));
  expect(stdout.trim().split(/\s+/).map(Number)).toEqual([nice, nice]);
});

it("the agent keeps its own priority", async () => {
  const { getPriority } = await import("node:os");
  const before = getPriority();
  await ran({ source: "true", limits: { ...limits, priority: "low" } }, containmentOf(way("adopting alone")));
  expect(getPriority()).toBe(before);
});

describe("a bound of output", () => {
  const endAtOutputBytes = 50_000;

  it("ends a job that writes more, and that is its outcome", async () => {
    const { outcome, contained } = await ran(
      { source: "yes", limits: { ...limits, endAtOutputBytes } },
      containmentOf(way("adopting alone")),
    );
    expect({ outcome, contained }).toEqual({ outcome: { type: "output-limit", afterBytes: 50_000 }, contained: "yes" });
  });

  it("counts both streams", async () => {
    const source = "head -c 30000 /dev/zero; head -c 30000 /dev/zero >&2; sleep 20";
    const { outcome } = await ran(
      { source, limits: { ...limits, endAtOutputBytes } },
      containmentOf(way("adopting alone")),
    );
    expect(outcome.type).toBe("output-limit");
  });

  it("lets a job be that writes exactly as much", async () => {
    const source = "head -c 50000 /dev/zero; sleep 0.3";
    const { outcome } = await ran(
      { source, limits: { ...limits, endAtOutputBytes } },
      containmentOf(way("adopting alone")),
    );
    expect(outcome).toEqual({ type: "exited", code: 0 });
  });
});
