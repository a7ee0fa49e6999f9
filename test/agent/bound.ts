// A device's real state in a folder of its own, bound by a real package; what the agent's tests begin with.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { onTestFinished } from "vitest";
import { bind } from "../../agent/binding/bind.ts";
import { Jobs } from "../../agent/jobs/jobs.ts";
import type { Machine } from "../../agent/machine.ts";
import { type Owner, readOwner } from "../../agent/binding/owner.ts";
import { OwnerState } from "../../agent/binding/owner-state.ts";
import { State } from "../../agent/state/state.ts";
import type { BindingDecision } from "../../protocol/binding.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import type { Device } from "../cast/device.ts";
import { type PackageSetup, packageOf } from "../cast/package.ts";
import { raw } from "../cast/person.ts";
import { seeded } from "../cast/random.ts";
import type { Tenant } from "../cast/tenant.ts";
import { AGENT, environmentIn, MACHINE } from "./machine.ts";

/** A folder that goes with the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "keybound-agent-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function openState(path = join(folder(), "state")): State {
  const state = State.open(path);
  onTestFinished(() => state.close());
  return state;
}

export type BindSetup = PackageSetup & {
  readonly trust?: string;
  readonly rebind?: boolean;
  readonly machine?: Machine;
  readonly confirmed?: boolean;
};

export function bindTo(
  state: State,
  tenant: Tenant,
  { trust, rebind = false, confirmed = false, machine = MACHINE, ...setup }: BindSetup = {},
): BindingDecision {
  return bind(readPackage(packageOf(tenant, setup), admitKey), {
    state,
    machine,
    agent: AGENT,
    consent: { trust, rebind, confirmed },
    now: tenant.clock.now,
    random: seeded(`bind ${bindings++}`),
  });
}
let bindings = 0;

export function ownerOf(state: State): Owner {
  const owner = readOwner(state);
  if (owner === undefined) throw new Error("not bound");
  return owner;
}

/** The bound device as the cast's makers take it. */
export function deviceOf(state: State): Device {
  const { device: id, signer, sealing } = ownerOf(state);
  return { id, name: "web1", signer, sealing, seed: new Uint8Array(0) };
}

/** The agent's jobs on this state, without a relay. `faults` collects what the state threw. */
export function jobsOn(state: State, tenant: Tenant, { bootId = MACHINE.bootId, path = folder() } = {}) {
  const owned = new OwnerState(state, ownerOf(state));
  const faults: unknown[] = [];
  const written: (() => void)[] = [];
  const jobs = new Jobs({
    owned,
    environment: environmentIn(path, bootId),
    bootId,
    agent: AGENT,
    now: () => tenant.clock.now,
    random: seeded(`jobs ${bindings++}`),
    log: pino({ level: "silent" }),
    connection: () => undefined,
    onReceipt: () => written.splice(0).forEach((wake) => wake()),
    onFault: (error) => faults.push(error),
  });
  onTestFinished(() => jobs.stop("agent-stop").catch(() => undefined));
  return { jobs, owned, faults, nextReceipt: () => new Promise<void>((resolve) => written.push(resolve)) };
}

/** Every receipt in the outbox, read and proved. */
export function receiptsOf(state: State) {
  const owner = ownerOf(state);
  return state.all("SELECT bytes FROM receipt ORDER BY seq").map((row) => {
    if (!(row["bytes"] instanceof Uint8Array)) throw new Error("no bytes");
    return readReceipt(row["bytes"], { sig: raw(owner.signer), tenant: owner.tenant });
  });
}
