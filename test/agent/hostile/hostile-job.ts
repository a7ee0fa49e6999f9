// Jobs that do not want to end, run for real under each way to hold them; whatever they leave is killed by the test's watchdog.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { readMachine } from "../../../agent/machine.ts";
import type { Cgroups } from "../../../agent/run/cgroup.ts";
import type { Containment } from "../../../agent/run/containment.ts";
import { openCgroups, type Versions } from "../../../agent/run/find-cgroups.ts";
import { openLibc } from "../../../agent/run/libc.ts";
import { LinuxContainment } from "../../../agent/run/linux-containment.ts";
import { prepareJob, runJob } from "../../../agent/run/run-job.ts";
import { VerifiedJob } from "../../../protocol/verify-job.ts";
import { contextOf, device } from "../../cast/device.ts";
import { asRun, jobFor } from "../../cast/job.ts";
import type { Overrides } from "../../cast/statement.ts";
import { Tenant } from "../../cast/tenant.ts";
import { folder } from "../bound.ts";
import { environmentIn } from "../machine.ts";

/** What no hostile program outlives, in seconds; each sets it for itself before anything else. */
export const LIFETIME = 20;

const acme = new Tenant();
const web1 = device("web1");
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
let words = 0;

/** A way to hold jobs, and whether it lets the agent know of everything. */
export type Way = {
  readonly name: string;
  readonly versions: Versions;
  readonly adopts: boolean;
  /** Whether it can see a process that looks like no job's. */
  readonly seesAll: boolean;
};

export const WAYS: readonly Way[] = [
  { name: "a control group of version 2, and adopting", versions: [2, 1], adopts: true, seesAll: true },
  { name: "a control group of version 1, and adopting", versions: [1], adopts: true, seesAll: true },
  { name: "a control group, and not adopting", versions: [2, 1], adopts: false, seesAll: true },
  { name: "adopting alone", versions: [], adopts: true, seesAll: true },
  { name: "looks alone", versions: [], adopts: false, seesAll: false },
];

/** Throws where this machine does not offer a way: these tests shall not pass unseen. */
export function cgroupsOf({ name, versions }: Way): Cgroups | undefined {
  const cgroups = versions.length === 0 ? undefined : openCgroups(versions);
  if (versions.length > 0 && cgroups === undefined) throw new Error(`no ${name} on this machine`);
  return cgroups;
}

export function containmentOf(way: Way, running = join(folder(), "running")): LinuxContainment {
  const libc = way.adopts ? openLibc() : undefined;
  if (way.adopts && libc === undefined) throw new Error("no node:ffi");
  return new LinuxContainment({ cgroups: cgroupsOf(way), libc, bootId: readMachine(0).bootId, running });
}

export function start(body: Overrides, containment: Containment) {
  const job = jobFor({ tenant: acme, devices: [web1], body, word: `hostile ${words++}` });
  const verdict = VerifiedJob.judge(job.envelope, contextOf(web1, acme));
  if (verdict.type !== "verified") throw new Error(`not verified: ${JSON.stringify(verdict)}`);
  const environment = { ...environmentIn(folder()), containment };
  const prepared = prepareJob(asRun(verdict.job.open(job.sealedFor(web1), web1.sealing)), environment);
  const begun = performance.now();
  const running = runJob(prepared, environment, () => undefined);
  return { running, job: job.job, begun };
}

/** Runs a job to its end; `pids` are the numbers that it printed. */
export async function ran(body: Overrides, containment: Containment) {
  const { running, begun } = start(body, containment);
  const result = await running.done;
  const stdout = text(result.kept[0]?.head);
  const pids = stdout
    .split("\n")
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
  onTestFinished(() => pids.filter(isRunning).forEach(kill));
  return { ...result, stdout, pids, alive: pids.filter(isRunning), ms: performance.now() - begun };
}

/** Whether a process is there and has not ended. */
export function isRunning(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, "latin1"));
}

function kill(pid: number): void {
  process.kill(pid, "SIGKILL");
}

/** The beginning of every hostile program: it ends by itself, whatever happens to the test. */
export const PRELUDE = `import os, signal, sys, time, subprocess
signal.alarm(${LIFETIME})
def say(n): os.write(1, b"%d\\n" % n)
def deaf():
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)
def live():
    signal.alarm(${LIFETIME})
    while True: time.sleep(1)
def daemon(clean):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if clean:
                code = "import os,signal,time; signal.alarm(${LIFETIME}); os.write(1, b'%d\\\\n' % os.getpid()); null=os.open('/dev/null', os.O_RDWR); [os.dup2(null, n) for n in (0,1,2)]; time.sleep(${LIFETIME})"
                os.execve(sys.executable, [sys.executable, "-c", code], {})
            say(os.getpid())
            null = os.open("/dev/null", os.O_RDWR)
            for n in (0, 1, 2): os.dup2(null, n)
            live()
        os._exit(0)
    os.wait()
    time.sleep(0.3)
`;
