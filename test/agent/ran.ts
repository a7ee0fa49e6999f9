// One job run on this machine by real processes, and what became of it.
import { existsSync, readdirSync } from "node:fs";
import { prepareJob, type RunEnvironment, type RunningJob, runJob } from "../../agent/run/run-job.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { contextOf, device } from "../cast/device.ts";
import { asRun, jobFor } from "../cast/job.ts";
import type { Overrides } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { folder } from "./bound.ts";
import { environmentIn } from "./machine.ts";

const acme = new Tenant();
const web1 = device("web1");
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

export function startedOn(
  body: Overrides,
  over: Partial<RunEnvironment> = {},
): {
  running: RunningJob;
  environment: RunEnvironment;
} {
  const job = jobFor({ tenant: acme, devices: [web1], body });
  const verdict = VerifiedJob.judge(job.envelope, contextOf(web1, acme));
  if (verdict.type !== "verified") throw new Error(`not verified: ${JSON.stringify(verdict)}`);
  const environment = { ...environmentIn(folder()), ...over };
  const runnable = asRun(verdict.job.open(job.sealedFor(web1), web1.sealing));
  return { running: runJob(prepareJob(runnable, environment), environment, () => undefined), environment };
}

export async function ranOn(body: Overrides, over: Partial<RunEnvironment> = {}) {
  const { running, environment } = startedOn(body, over);
  const result = await running.done;
  const [stdout, stderr] = result.kept;
  const left = existsSync(environment.jobs) ? readdirSync(environment.jobs) : [];
  return { ...result, stdout: text(stdout?.head), stderr: text(stderr?.head), left };
}
