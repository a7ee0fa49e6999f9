// The agent as real processes on one state folder, beside a state that the test looks into.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { readMachine } from "../../agent/machine.ts";
import type { State } from "../../agent/state/state.ts";
import type { Outcome } from "../../protocol/outcome.ts";
import { pinOf } from "../../protocol/pin.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import type { Device } from "../cast/device.ts";
import { type Job, type JobSetup, jobFor } from "../cast/job.ts";
import { type PackageSetup, packageOf } from "../cast/package.ts";
import type { Tenant } from "../cast/tenant.ts";
import { Program, until } from "../e2e/program.ts";
import { bindTo, deviceOf, folder, openState } from "./bound.ts";
import type { SmallRelay } from "./small-relay.ts";

/** What time it is for organisations whose device is a real process. */
export const systemClock = () => ({ now: Date.now(), turn: () => Date.now() });

let files = 0;
let jobs = 0;

export class AgentProcess {
  readonly folder: string;
  readonly path: string;
  readonly state: State;

  constructor() {
    this.folder = folder();
    this.path = join(this.folder, "state");
    this.state = openState(this.path);
  }

  get device(): Device {
    return deviceOf(this.state);
  }

  /** Binds in the test's own process, as this machine. */
  bound(tenant: Tenant, setup: PackageSetup = {}): void {
    bindTo(this.state, tenant, { ...setup, machine: readMachine(0), confirmed: true });
  }

  /** `keybound-agent bind` with a package of this tenant; ends, and answers what it said and its code. */
  async bind(tenant: Tenant, over: readonly string[] = [], setup: PackageSetup = {}) {
    const file = join(this.folder, `package ${files++}`);
    writeFileSync(file, packageOf(tenant, setup));
    return this.command("bind", file, ...over);
  }

  trusting(tenant: Tenant): readonly string[] {
    return ["--trust", pinOf(tenant.id)];
  }

  async command(...args: readonly string[]) {
    const program = new Program("agent", [...args, "--state", this.path], {});
    const code = await program.ended();
    return { code, stdout: program.stdout, stderr: program.stderr };
  }

  /** Runs the agent until the end of the test. */
  run(): Program {
    const program = new Program("agent", ["run", "--state", this.path], {});
    onTestFinished(() => void program.end("SIGKILL"));
    return program;
  }

  /** Every row of what the state keeps, but for the journal. */
  rows(but: readonly string[] = []): Readonly<Record<string, readonly unknown[]>> {
    const tables = this.state
      .all("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .map(({ name }) => String(name));
    const kept = tables.filter((table) => table !== "journal" && !but.includes(table));
    return Object.fromEntries(kept.map((table) => [table, this.state.all(`SELECT * FROM ${table}`)]));
  }
}

/** What a device made of a job: the outcome of its receipt, or the code of a refusal that nobody is owed a receipt for. */
type Answer = Outcome | { readonly type: "refused without a receipt"; readonly code: unknown };

/** Hands a job to a device that is connected. */
export async function outcomeOf(relay: SmallRelay, device: Device, setup: Omit<JobSetup, "devices">): Promise<Answer> {
  const job = jobFor({ word: `process ${process.pid} ${jobs++}`, ...setup, devices: [device] });
  const { wrap, body } = job.sealedFor(device);
  relay.push(device.id, { type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]);
  await until(() => answerTo(relay, job) !== undefined, "an answer");
  return answerTo(relay, job) ?? { type: "refused without a receipt", code: undefined };
}

function answerTo({ said }: SmallRelay, { job }: Job): Answer | undefined {
  const about = said.filter(({ header }) => header["job"] === job);
  const taken = about.find(({ header }) => header["type"] === "taken" && header["refused"] !== undefined);
  if (taken !== undefined) return { type: "refused without a receipt", code: taken.header["refused"] };
  const receipt = about.find(({ header }) => header["type"] === "receipt");
  if (receipt === undefined) return undefined;
  const { parts, sig, tenant } = receipt;
  return readReceipt(parts[0] ?? new Uint8Array(0), { sig, tenant }).receipt.outcome;
}
