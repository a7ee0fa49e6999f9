// Real processes: what a job sees, what is kept of it, and how it ends.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Enclosure } from "../../agent/run/containment.ts";
import { type EndCause, prepareJob, runJob } from "../../agent/run/run-job.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { contextOf, device } from "../cast/device.ts";
import { asRun, jobFor } from "../cast/job.ts";
import type { Overrides } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { folder } from "./bound.ts";
import { environmentIn } from "./machine.ts";

const acme = new Tenant();
const web1 = device("web1");
/** Past while what ignores the first signal is waited for, which takes five seconds. */
const LIMITED = { timeMs: 3_000, outputBytes: 1_000 };
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

/** With its methods bound to it: one may be put in the place of another. */
function wrapped(enclosure: Enclosure): Enclosure {
  return {
    spawn: (launch) => enclosure.spawn(launch),
    end: () => enclosure.end(),
    letGo: () => enclosure.letGo(),
    contained: () => enclosure.contained(),
    unenforced: enclosure.unenforced,
    close: () => enclosure.close(),
  };
}

function started(body: Overrides, environment = environmentIn(folder())) {
  const job = jobFor({ tenant: acme, devices: [web1], body });
  const verdict = VerifiedJob.judge(job.envelope, contextOf(web1, acme));
  if (verdict.type !== "verified") throw new Error(`not verified: ${JSON.stringify(verdict)}`);
  const prepared = prepareJob(asRun(verdict.job.open(job.sealedFor(web1), web1.sealing)), environment);
  const seen: string[] = [];
  const running = runJob(prepared, environment, (stream, bytes) => seen.push(`${stream} ${text(bytes)}`));
  return { running, seen, environment };
}

async function ran(body: Overrides) {
  const { running, environment } = started(body);
  const result = await running.done;
  const [stdout, stderr] = result.kept;
  return {
    ...result,
    stdout: text(stdout?.head),
    stderr: text(stderr?.head),
    out: stdout,
    left: existsSync(environment.jobs) ? readdirSync(environment.jobs) : [],
  };
}

/** Whether a process is there and has not ended; its orphaned remains may wait for whoever asks for them. */
function isRunning(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) && !readFileSync(path, "latin1").includes(") Z ");
}

it("a job that the agent could not see through is not said to have never started", async () => {
  const environment = environmentIn(folder());
  const { containment } = environment;
  let calls = 0;
  const failing = {
    ...environment,
    containment: {
      open: (...given: Parameters<typeof containment.open>) => {
        const enclosure = containment.open(...given);
        const end = () => (calls++ === 0 ? Promise.reject(new Error("EIO")) : enclosure.end());
        return { ...wrapped(enclosure), end };
      },
      outside: <T>(act: () => T) => containment.outside(act),
      endFormer: (jobs: Parameters<typeof containment.endFormer>[0]) => containment.endFormer(jobs),
    },
  };
  const { running } = started({ source: "exit 0" }, failing);
  expect((await running.done).outcome).toEqual({ type: "lost" });
});

describe("a job that ends by itself", () => {
  it("is told by its exit code, with both streams kept apart", async () => {
    const { outcome, stdout, stderr } = await ran({ source: "echo out; echo err >&2; exit 3" });
    expect({ outcome, stdout, stderr }).toEqual({
      outcome: { type: "exited", code: 3 },
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  it("has that end also where a cause from outside comes while what it left is being ended", async () => {
    const { running } = started({ source: "trap '' TERM; sleep 60 >/dev/null 2>&1 & exit 0", limits: LIMITED });
    expect((await running.done).outcome).toEqual({ type: "exited", code: 0 });
  });

  it("is told by the signal that ended it", async () => {
    expect((await ran({ source: "kill -KILL $$" })).outcome).toEqual({ type: "signalled", signal: "SIGKILL" });
  });

  it("gets its arguments, its input and its folder as they were signed", async () => {
    const body = {
      source: 'pwd; printf "%s|" "$@"; cat',
      args: ["a b", "$HOME", ""],
      cwd: "/tmp",
      stdin: Buffer.from("fed\n").toString("base64url"),
    };
    expect((await ran(body)).stdout).toBe("/tmp\na b|$HOME||fed\n");
  });

  it("finds its input closed unless some was signed", async () => {
    expect((await ran({ source: "cat; echo end" })).stdout).toBe("end\n");
  });

  it("sees the documented environment and what was signed, and nothing of the agent's own", async () => {
    const { stdout } = await ran({ source: "env", env: [{ name: "SIGNED", value: "yes" }] });
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0])
      .toSorted((a = "", b = "") => (a < b ? -1 : 1));
    expect(names).toEqual(
      ["HOME", "KEYBOUND_RUN", "LANG", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "SIGNED", "USER"].filter((name) =>
        names.includes(name),
      ),
    );
    expect(stdout).toContain("SIGNED=yes");
    expect(stdout).not.toContain("VITEST");
  });

  it("has its source nowhere on the disk and not in the process list", async () => {
    const { stdout, left } = await ran({ source: 'secret=hunter2-$(echo x); tr "\\0" " " < /proc/$$/cmdline' });
    expect(left).toEqual([]);
    expect(stdout).not.toContain("hunter2");
  });

  it("runs an argument vector without a shell", async () => {
    const { stdout } = await ran({ shell: "exec", source: undefined, args: ["/bin/echo", "$HOME", "*"] });
    expect(stdout).toBe("$HOME *\n");
  });

  it("runs bash where bash was asked for", async () => {
    expect((await ran({ shell: "bash", source: 'a=(1 2 3); echo "${#a[@]}"' })).stdout).toBe("3\n");
  });

  it("says that it was not started when its folder is not there", async () => {
    expect((await ran({ source: "true", cwd: "/nowhere at all" })).outcome).toEqual({
      type: "not-started",
      error: "ENOENT",
    });
  });
});

describe("output", () => {
  it("keeps the first and the last bytes of a long stream and counts the rest", async () => {
    const { out } = await ran({
      source: "head -c 100000 /dev/zero | tr '\\0' a; echo END",
      limits: { timeMs: 60_000, outputBytes: 1000 },
    });
    expect({ size: out?.size, head: out?.head.length, tail: out?.tail.length }).toEqual({
      size: 100_004,
      head: 500,
      tail: 500,
    });
    expect(text(out?.tail).endsWith("aEND\n")).toBe(true);
  });

  it("keeps nothing where nothing was asked for, and still counts", async () => {
    const { out } = await ran({ source: "echo hello", limits: { timeMs: 60_000, outputBytes: 0 } });
    expect({ size: out?.size, head: out?.head.length, tail: out?.tail.length }).toEqual({ size: 6, head: 0, tail: 0 });
  });
});

describe("a job that does not end by itself", () => {
  it("is ended at its time limit, with what it had written", async () => {
    const { outcome, stdout } = await ran({
      source: "echo before; sleep 600",
      limits: { timeMs: 500, outputBytes: 1000 },
    });
    expect({ outcome, stdout }).toEqual({ outcome: { type: "timed-out", afterMs: 500 }, stdout: "before\n" });
  });

  it("is killed when it will not listen", async () => {
    const { outcome } = await ran({
      source: "trap '' TERM; while :; do sleep 1; done",
      limits: { timeMs: 300, outputBytes: 1000 },
    });
    expect(outcome.type).toBe("timed-out");
  });

  it("is ended when somebody says so, and that is its outcome", async () => {
    const { running } = started({ source: "sleep 600" });
    const by: EndCause = "agent-stop";
    setTimeout(() => running.end(by), 200);
    expect((await running.done).outcome).toEqual({ type: "cancelled", by });
  });

  it("takes the processes that it left in the background along", async () => {
    const { stdout, outcome } = await ran({ source: "sleep 613 & echo $!" });
    expect(outcome).toEqual({ type: "exited", code: 0 });
    expect(isRunning(Number(stdout))).toBe(false);
  });
});

describe("a job that this machine cannot run", () => {
  it("is refused for an interpreter that is not here", () => {
    expect(() => started({ shell: "pwsh", source: "1" })).toThrow(expect.objectContaining({ code: "shell-absent" }));
  });

  it("is refused for a program by a relative path", () => {
    expect(() => started({ shell: "exec", source: undefined, args: ["ls"] })).toThrow(
      expect.objectContaining({ code: "shell-absent" }),
    );
  });

  it("is refused for a user who is not here, and not run as anybody else", async () => {
    const { outcome, out } = await ran({ source: "id", user: { as: "user", name: "nobody-by-this-name" } });
    expect({ outcome, out }).toMatchObject({ outcome: { type: "refused", code: "user-absent" }, out: undefined });
  });
});
