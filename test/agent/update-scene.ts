// A bound device with an installed program that can be updated, and a job that brings it version 0.2.0.
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import pino from "pino";
import { expect, onTestFinished, vi } from "vitest";
import { Jobs } from "../../agent/jobs/jobs.ts";
import { OwnerState } from "../../agent/binding/owner-state.ts";
import { pathsIn } from "../../agent/paths.ts";
import { SealedFiles } from "../../agent/files/sealed-files.ts";
import type { SelfUpdate } from "../../agent/update/self-update.ts";
import { State } from "../../agent/state/state.ts";
import { versionsOf } from "../../agent/update/versions.ts";
import { packUpdate } from "../../scripts/package/pack-update.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { contentOf } from "../cast/job-file.ts";
import { seeded } from "../cast/random.ts";
import { pinnedOf, releaseSigner, updateOf, type UpdateSetup } from "../cast/release.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, ownerOf, receiptsOf } from "./bound.ts";
import { AGENT, environmentIn, MACHINE } from "./machine.ts";

const BUNDLES = ["keybound-agent.cjs", "keybound-agent-inventory.cjs"];

/** An agent's files, told apart by the version. */
export function archiveOf(version: string): Uint8Array {
  const bundle = (name: string) => ({ name, mode: 0o644 as const, content: Buffer.from(`// ${name} ${version}\n`) });
  return packUpdate([{ name: "node", mode: 0o755, content: contentOf(100_000) }, ...BUNDLES.map(bundle)], 0);
}

/** Where an agent of 0.1.0 is installed, and its state. */
export type Disk = { readonly state: string; readonly program: string };

function installed(): Disk {
  const at = folder();
  const program = join(at, "program");
  mkdirSync(program);
  chmodSync(program, 0o755);
  writeFileSync(join(program, "start"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(join(program, "version"), "0.1.0\n");
  return { state: join(at, "state"), program };
}

export function copyOf({ state, program }: Disk): Disk {
  const at = folder();
  const copy = { state: join(at, "state"), program: join(at, "program") };
  cpSync(state, copy.state, { recursive: true });
  cpSync(program, copy.program, { recursive: true });
  return copy;
}

export const inVersions = ({ program }: Disk, name: string) => {
  const path = join(program, "versions", name);
  return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
};

export type AgentSetup = {
  readonly running?: string;
  readonly self?: Partial<SelfUpdate>;
  /** Called at each step of state and versions. */
  readonly observe?: (point: string) => void;
};

/** An agent's jobs on this disk, as the version that runs has them. */
export function agentOn(
  disk: Disk,
  acme: Tenant,
  { running = "0.1.0", self, observe = () => undefined }: AgentSetup = {},
) {
  const state = State.open(disk.state, observe);
  onTestFinished(() => state.close());
  const script = running === "0.1.0" ? disk.program : join(disk.program, "versions", running);
  const versions = { ...versionsOf(join(script, "keybound-agent.cjs"), { platform: "linux", running }), observe };
  const restarted = vi.fn<() => void>();
  const update: SelfUpdate = {
    keys: pinnedOf(releaseSigner()),
    platform: "linux-x64",
    versions,
    isStartedAgain: true,
    restart: restarted,
    ...self,
  };
  const faults: unknown[] = [];
  const jobs = new Jobs({
    owned: new OwnerState(state, ownerOf(state)),
    environment: { ...environmentIn(disk.state), self: update },
    bootId: MACHINE.bootId,
    agent: AGENT,
    now: () => acme.clock.now,
    random: seeded("update jobs"),
    log: pino({ level: "silent" }),
    connection: () => undefined,
    onReceipt: () => undefined,
    onFault: (error) => faults.push(error),
  });
  onTestFinished(() => jobs.stop("agent-stop").catch(() => undefined));
  const outcomes = () => receiptsOf(state).map(({ receipt }) => receipt.outcome);
  const answered = (count = 1) =>
    vi.waitFor(() => expect(outcomes()).toHaveLength(count), { timeout: 8000, interval: 10 });
  const handedOver = () => vi.waitFor(() => expect(restarted).toHaveBeenCalledOnce(), { timeout: 8000, interval: 10 });
  return { state, jobs, faults, versions, outcomes, answered, handedOver, restarted };
}

/** The disk of a bound device, and a job for it whose archive has come already: how it comes is the same for all files. */
export function updateScene({ archive = archiveOf("0.2.0"), ...setup }: UpdateSetup = {}) {
  const acme = new Tenant();
  const disk = installed();
  const state = State.open(disk.state);
  bindTo(state, acme);
  const device = deviceOf(state);
  state.close();
  const brought = new Map<string, { readonly blob: string; readonly sealed: Uint8Array }>();
  const update = (word: string, own: UpdateSetup = {}) => {
    const { work, sealed, file } = updateOf({ archive, ...setup, ...own });
    const made = jobFor({ tenant: acme, devices: [device], word, updates: work });
    brought.set(made.job, { blob: file.blob, sealed });
    return made;
  };
  /** A job comes, after what it brings. */
  const give = (jobs: Jobs, job: Job) => {
    const file = brought.get(job.job);
    if (file !== undefined) {
      const path = new SealedFiles(pathsIn(disk.state).files).pathOf(job.job, file.blob);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, file.sealed);
    }
    return jobs.receive({ envelope: job.envelope, ...job.sealedFor(device) }, { watched: false, asked: true });
  };
  return { acme, disk, device, update, give };
}
