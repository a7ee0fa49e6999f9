// Taking an owner from a package: the protocol decides whether, this does it in one transaction, so that a device has the old owner or the new.
import {
  type BindingDecision,
  type BoundOwner,
  type Consent,
  decideBinding,
  newTombstones,
} from "../../protocol/binding.ts";
import { signBindingReport } from "../../protocol/binding-report.ts";
import type { DeploymentPackage } from "../../protocol/deployment.ts";
import { signEnrolment } from "../../protocol/enrolment.ts";
import type { Random } from "../../protocol/seal.ts";
import { signerOf } from "../../protocol/signature.ts";
import { emptyLedger, endJobs, isMadeHere, noteEnd, tagOf } from "./end-identity.ts";
import { forgetFarewell, keepFarewell } from "./farewell.ts";
import { append } from "../state/journal.ts";
import type { AgentVersion } from "../version.ts";
import { forgetLeftOwner, type LeftOwner, readLeftOwner } from "./left-owner.ts";
import type { Machine } from "../machine.ts";
import {
  addTombstones,
  addVouch,
  extendKeyLog,
  isBound,
  keyLogView,
  type NewIdentity,
  type NewOwner,
  newSeed,
  type Owner,
  publicKeysOf,
  raiseFloor,
  readOwner,
  readTombstones,
  replaceIdentity,
  writeOwner,
} from "./owner.ts";
import { forgetRefusedPackage, keepRefusedPackage } from "./refused-package.ts";
import type { State } from "../state/state.ts";
import { dropCopies } from "../state/state-copy.ts";

export type BindOptions = {
  readonly state: State;
  readonly machine: Machine;
  readonly agent: AgentVersion;
  readonly consent: Consent;
  readonly now: number;
  readonly random: Random;
};

/** How the jobs of an owner before end, whether they had begun or not. */
const CHANGED = {
  begun: { type: "cancelled", by: "owner-change" },
  waiting: { type: "cancelled", by: "owner-change" },
} as const;

/**
 * Binds, updates or keeps, and says which. Throws the refusal that forbids it; then nothing has changed but the journal. Throws
 * `state-newer` where a version on trial came in between.
 */
export function bind(offered: DeploymentPackage, options: BindOptions): BindingDecision {
  const { state, consent, now } = options;
  return state.write("bind", () => {
    state.checkTables();
    // Nobody changes the tables while we write: a copy from before that leads nowhere must not bring an owner back.
    dropCopies(state.folder);
    const before = readOwner(state);
    const left = readLeftOwner(state, offered.state.tenant);
    const decision = decideBinding({
      offered,
      bound: before === undefined ? undefined : boundOwner(state, before),
      left: left === undefined ? undefined : boundOwner(state, left),
      tombstones: readTombstones(state),
      consent,
      now: Math.max(now, before?.floor ?? left?.floor ?? 0),
    });
    carryOut(decision, { offered, before, options });
    return decision;
  });
}

export type RefusedBinding = {
  readonly code: string;
  readonly detail: string;
  /** What the package was, where it could be read. */
  readonly offered: DeploymentPackage | undefined;
  readonly now: number;
};

/** Writes a refused binding into the journal, and keeps what was refused for the owner to hear of, if there is one. */
export function noteRefusedBinding(state: State, { code, detail, offered, now }: RefusedBinding): void {
  state.write("refuse binding", () => {
    append(state, now, { type: "refused", code, detail });
    if (offered === undefined || !isBound(state)) return;
    const { tenant, name, epoch } = offered.state;
    keepRefusedPackage(state, { tenant, name, epoch, code, time: now });
  });
}

type Binding = {
  readonly offered: DeploymentPackage;
  readonly before: Owner | undefined;
  readonly options: BindOptions;
};

function carryOut(decision: BindingDecision, binding: Binding): void {
  switch (decision.type) {
    case "bind":
      return takeOwner(binding, newIdentity(binding.offered, binding.options));
    case "rebind":
      return changeOwner(binding);
    case "update":
      updateOwner(binding, decision.relays);
      return renewIdentity(binding);
    case "keep":
      return renewIdentity(binding);
    default:
      throw new Error(`internal error: no binding ${JSON.stringify(decision satisfies never)}`);
  }
}

function boundOwner(state: State, owner: Pick<Owner, "keyState" | "deployedAt">): BoundOwner {
  return { keyLog: keyLogView(state, owner.keyState), deployedAt: owner.deployedAt };
}

/**
 * A disk that was copied from another machine, bound on this one: the same owner, a device of its own. The identity before
 * lives on where it was made, so this machine says nothing in its name any more.
 */
function renewIdentity({ offered, before, options }: Binding): void {
  if (before === undefined || isMadeHere(before, options.machine)) return;
  const { state } = options;
  endJobs(before, options, CHANGED);
  noteEnd(before, options, "unbound");
  emptyLedger(state);
  forgetFarewell(state);
  const identity = newIdentity(offered, options);
  replaceIdentity(state, identity);
  noteBound(offered, identity, options);
}

/** What belonged to the owner before is dropped, the journal keeps the history, the owner becomes a tombstone. */
function changeOwner({ offered, before, options }: Binding): void {
  if (before === undefined) throw new Error("internal error: no owner to leave");
  const { state, now } = options;
  const identity = newIdentity(offered, options);
  endJobs(before, options, CHANGED);
  if (isMadeHere(before, options.machine)) keepFarewell(state, lastReport(before, { offered, identity, options }), now);
  else forgetFarewell(state);
  noteEnd(before, options, "unbound");
  emptyLedger(state);
  addTombstones(state, newTombstones(offered, boundOwner(state, before)), now);
  for (const table of ["vouch", "key_entry"]) state.run(`DELETE FROM ${table}`);
  forgetRefusedPackage(state);
  takeOwner({ offered, before, options }, identity);
}

/** Where the device went, in the name of the identity that ends here. */
function lastReport(
  { tenant, device, keyState, signer }: Owner,
  { offered, identity, options }: { offered: DeploymentPackage; identity: NewIdentity; options: BindOptions },
): Uint8Array {
  const moved = { tenant: offered.deployment.tenant, device: identity.device };
  const report = { tenant, device, keyHead: keyState.head, moved, agent: options.agent.text, time: options.now };
  return signBindingReport(report, signer);
}

/** New keys and the judged log: this device's owner from here on. */
function takeOwner({ offered, before, options }: Binding, identity: NewIdentity): void {
  const { state, now } = options;
  const { deployment } = offered;
  const left = readLeftOwner(state, deployment.tenant);
  forgetLeftOwner(state, deployment.tenant);
  writeOwner(state, {
    tenant: deployment.tenant,
    boundAt: now,
    deployment: offered.id,
    deployedAt: deployment.issuedAt,
    relays: deployment.relays,
    class: deployment.class,
    ...logOf(offered, left),
    ...identity,
  });
  if (before === undefined) addTombstones(state, newTombstones(offered, undefined), now);
  for (const signer of offered.signers) addVouch(state, signer, deployment.issuedAt);
  raiseFloor(state, deployment.issuedAt, now);
  if (left !== undefined) raiseFloor(state, left.floor, left.floor);
  noteBound(offered, identity, options);
}

/** The longer of the package's log and what is kept of the same tenant's, which is in its place already. */
function logOf({ state, entries }: DeploymentPackage, left: LeftOwner | undefined): Pick<NewOwner, "keyState" | "log"> {
  if (left === undefined) return { keyState: state, log: { from: 0, entries } };
  const from = left.keyState.head.seq + 1;
  const isLonger = state.head.seq >= from;
  const keyState = isLonger ? { ...state, forks: left.keyState.forks } : left.keyState;
  return { keyState, log: { from, entries: entries.slice(from) } };
}

/** Fresh keys, and an enrolment request under them that waits for a relay. */
function newIdentity({ deployment, id, tokenSecret }: DeploymentPackage, options: BindOptions): NewIdentity {
  const { machine, agent, now, random } = options;
  const keys = newSeed(random);
  const enrolment = signEnrolment(
    {
      tenant: deployment.tenant,
      device: keys.device,
      ...publicKeysOf(keys.seed, keys.sealingKey),
      host: machine.host,
      platform: machine.platform,
      release: machine.release,
      arch: machine.arch,
      machineTag: tagOf(deployment.tenant, machine),
      deployment: id,
      ...(deployment.token === undefined ? {} : { token: deployment.token }),
      agent: agent.text,
      time: now,
    },
    { signer: signerOf(keys.seed), tokenSecret },
  );
  return { ...keys, machineTag: tagOf(deployment.tenant, machine), enrolment };
}

function noteBound(
  { state: offered, id, deployment }: DeploymentPackage,
  { device }: NewIdentity,
  { state, now }: BindOptions,
): void {
  const { tenant, epoch } = deployment;
  append(state, now, { type: "bound", tenant, name: offered.name, epoch, device, deployment: id });
}

/** The same owner: what was missing of the log, and newer relays. */
function updateOwner({ offered, before, options }: Binding, takesRelays: boolean): void {
  if (before === undefined) throw new Error("internal error: an update of no owner");
  const { state, now } = options;
  const known = before.keyState.head.seq;
  if (offered.state.head.seq > known) {
    const entries = offered.entries.slice(known + 1);
    extendKeyLog(state, {
      keyState: { ...offered.state, forks: before.keyState.forks },
      from: known + 1,
      entries,
      heardAt: now,
    });
  }
  if (takesRelays) {
    const { relays, issuedAt } = offered.deployment;
    state.run("UPDATE owner SET relays = ?, deployed_at = ?", JSON.stringify(relays), issuedAt);
    for (const signer of offered.signers) addVouch(state, signer, issuedAt);
  }
  // A daemon that serves the state before has to begin again with this one.
  state.run("UPDATE owner SET generation = generation + 1");
  append(state, now, { type: "updated", deployment: offered.id, keySeq: Math.max(known, offered.state.head.seq) });
}
