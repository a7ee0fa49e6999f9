// May this package give this device its owner? One decision, from what the device keeps and what its administrator said (SPEC 6.3).
import type { DeploymentPackage } from "./deployment.ts";
import type { LogPlace } from "./fields.ts";
import { isRevokedByFork, type KeyLogState, lastTerm } from "./key-state.ts";
import type { KeyLogView } from "./key-view.ts";
import { pinOf, readPin } from "./pin.ts";
import { refuse } from "./refusal.ts";

/** What a bound device keeps of its owner, as far as the decision needs it. */
export type BoundOwner = {
  readonly keyLog: KeyLogView;
  /** `issuedAt` of the deployment whose relays are in use. */
  readonly deployedAt: number;
};

export type Consent = {
  /** The pin on the install command: `--trust`, `TRUST=`. */
  readonly trust: string | undefined;
  /** The install command says that another organisation may take the device over. */
  readonly rebind: boolean;
  /** A local administrator has confirmed the new owner at a terminal. */
  readonly confirmed: boolean;
};

export type BindingDecision =
  /** There was no owner. */
  | { readonly type: "bind" }
  /** The same owner: take later key events, and newer relays where `relays` says so. */
  | { readonly type: "update"; readonly relays: boolean }
  /** The same owner, and the package knows nothing newer. */
  | { readonly type: "keep" }
  /** Another owner: the one before becomes a tombstone. */
  | { readonly type: "rebind" };

/** Throws the refusal that decides; the order is SPEC 6.3's. `now` is the later of the system's clock and the floor. */
export function decideBinding({
  offered,
  bound,
  left,
  tombstones,
  consent,
  now,
}: {
  offered: DeploymentPackage;
  bound: BoundOwner | undefined;
  /** What is kept of the package's tenant on a device whose agent was uninstalled. */
  left?: BoundOwner | undefined;
  tombstones: ReadonlySet<string>;
  consent: Consent;
  now: number;
}): BindingDecision {
  const { state, deployment } = offered;
  const isPinned = checkPin(state.tenant, consent.trust); // 1
  if (tombstones.has(state.tenant)) throw refuse("tenant-retired", `tenant ${pinOf(state.tenant)}`); // 2
  if (state.closed) throw refuse("tenant-closed", `tenant ${pinOf(state.tenant)}`); // 3
  if (deployment.notAfter <= now) throw refuse("package-expired", `ended at ${deployment.notAfter}, here it is ${now}`); // 4
  if (bound === undefined) return newOwner(offered, left); // 5
  if (bound.keyLog.state.tenant === state.tenant) return sameOwner(offered, bound); // 6
  checkSuccession(offered, bound, consent.rebind); // 7
  if (!isPinned && !consent.confirmed) throw refuse("trust-needed", `the package's pin is ${pinOf(state.tenant)}`); // 8
  return { type: "rebind" };
}

function checkPin(tenant: string, trust: string | undefined): boolean {
  if (trust === undefined) return false;
  const pin = readPin(trust);
  if (pin !== pinOf(tenant))
    throw refuse("package-trust", `--trust ${pin ?? "is no pin"}, the package's pin is ${pinOf(tenant)}`);
  return true;
}

/** Never backwards: a shorter log is no news, another line is refused, and a signer revoked since has no say in relays. */
function sameOwner(offered: DeploymentPackage, { keyLog, deployedAt }: BoundOwner): BindingDecision {
  const isLonger = checkLog(offered, keyLog);
  const relays = offered.deployment.issuedAt > deployedAt;
  return isLonger || relays ? { type: "update", relays } : { type: "keep" };
}

/** A device whose agent was uninstalled keeps what it knew of its owner's log, and does not fall behind that. */
function newOwner(offered: DeploymentPackage, left: BoundOwner | undefined): BindingDecision {
  if (left?.keyLog.state.closed === true) throw refuse("tenant-closed", `tenant ${pinOf(offered.state.tenant)}`);
  if (left !== undefined) checkLog(offered, left.keyLog);
  return { type: "bind" };
}

/** Whether the package's log is longer than what is known of the same tenant's. Throws unless one is the beginning of the other. */
function checkLog({ deployment, entries, signers, state }: DeploymentPackage, keyLog: KeyLogView): boolean {
  const last: LogPlace = deployment.anchor;
  const shared = Math.min(last.seq, keyLog.state.head.seq);
  if (entries[shared]?.id !== keyLog.idAt(shared)) throw refuse("log-fork", `entry ${shared} of the package's key log`);
  const isLonger = last.seq > keyLog.state.head.seq;
  if (!isLonger && !signers.some((operator) => stillStands(keyLog.state, keyOf(state, operator))))
    throw refuse("signer-revoked", "the package's signer was revoked since");
  return isLonger;
}

/** The key by which an operator signed the package: the one that was active at its anchor. */
function keyOf({ operators }: KeyLogState, operator: string): string | undefined {
  return operators.find((active) => active.operator === operator)?.key;
}

/** Active here, or followed by its owner's own change; a key that was replaced, recovered or revoked may have been another's. */
function stillStands(state: KeyLogState, key: string | undefined): boolean {
  const last = key === undefined ? undefined : lastTerm(state, key);
  return last !== undefined && (last.to === undefined || last.end === "changed") && !isRevokedByFork(state, last.key);
}

/** A later epoch of the same organisation names the present owner among those it replaces; anybody else needs `--rebind`. */
function checkSuccession({ state }: DeploymentPackage, { keyLog }: BoundOwner, rebind: boolean): void {
  const owner = keyLog.state;
  const lineage = new Set([owner.tenant, ...owner.supersedes]);
  const isRelated = state.supersedes.some((tenant) => lineage.has(tenant));
  if (isRelated && state.epoch <= owner.epoch)
    throw refuse("epoch-older", `epoch ${state.epoch}, this device is at ${owner.epoch}`);
  if (state.supersedes.includes(owner.tenant)) return;
  if (!rebind)
    throw refuse(
      "owner-other",
      `owner ${owner.name} ${pinOf(owner.tenant)}, the package is of ${state.name} ${pinOf(state.tenant)}`,
    );
}

/** Tenants that become tombstones when this package binds: the owner before, and all that the new one replaces. */
export function newTombstones({ state }: DeploymentPackage, bound: BoundOwner | undefined): readonly string[] {
  const before = bound === undefined || bound.keyLog.state.tenant === state.tenant ? [] : [bound.keyLog.state.tenant];
  return [...new Set([...before, ...state.supersedes])];
}
