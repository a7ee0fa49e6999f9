// The roster, judged by operators' clients and the relay: which devices belong to the tenant, and what they are called (SPEC 5).
import { pae, readEnvelopeOf, statementId, type UnverifiedEnvelope } from "./envelope.ts";
import type { LogPlace } from "./fields.ts";
import { type KeyTerm, keyBytes, policyAt, termAt } from "./key-state.ts";
import { type KeyLogView, placeIn } from "./key-view.ts";
import { MAX_MISMATCHES, MAX_OPERATORS, MAX_ROSTER_EVENTS } from "./limits.ts";
import { jobThreshold } from "./policy.ts";
import { refuse } from "./refusal.ts";
import { type RosterEvent, readRosterEvent } from "./roster-event.ts";
import { thumbprint, verifySignature } from "./signature.ts";

export type RosterDevice = {
  readonly device: string;
  readonly sig: string;
  readonly enc: string;
  readonly name: string;
  readonly class: string;
  readonly request: string;
  readonly token?: string;
  /** When it was admitted, as the signer's clock said. */
  readonly since: number;
};

export type RosterToken = Readonly<Omit<Extract<RosterEvent, { type: "token.add" }>, keyof Chained | "type">> & {
  readonly uses: number;
};
type Chained = { tenant: unknown; seq: unknown; prev: unknown; time: unknown; keyHead: unknown };

/** Changed in place by `judgeRosterEvent`, and only after every check has passed: rosters are large, entries small. */
export type Roster = {
  readonly tenant: string;
  head: LogPlace | undefined;
  keySeq: number;
  readonly devices: Map<string, RosterDevice>;
  /** Device ids by name in small letters. */
  readonly names: Map<string, string>;
  readonly groups: Map<string, Set<string>>;
  readonly tokens: Map<string, RosterToken>;
  /** Devices that were removed and not admitted by hand since. */
  readonly removed: Set<string>;
  /** The newest short codes that were typed wrong. */
  readonly mismatches: Mismatch[];
};

/** An admin typed other digits than a request shows: somebody may stand between two people. */
export type Mismatch = { readonly request: string; readonly name: string; readonly by: string; readonly time: number };

export function emptyRoster(tenant: string): Roster {
  return {
    tenant,
    head: undefined,
    keySeq: 0,
    devices: new Map(),
    names: new Map(),
    groups: new Map(),
    tokens: new Map(),
    removed: new Set(),
    mismatches: [],
  };
}

/** Plain data of a roster, to be stored as JSON; `roster` is `restoreRoster`'s. */
export type RosterSnapshot = {
  readonly tenant: string;
  readonly head?: LogPlace;
  readonly keySeq: number;
  readonly devices: readonly RosterDevice[];
  readonly groups: readonly (readonly [string, readonly string[]])[];
  readonly tokens: readonly RosterToken[];
  readonly removed: readonly string[];
  readonly mismatches?: readonly Mismatch[];
};

export function snapshotRoster(roster: Roster): RosterSnapshot {
  return {
    tenant: roster.tenant,
    ...(roster.head === undefined ? {} : { head: roster.head }),
    keySeq: roster.keySeq,
    devices: [...roster.devices.values()],
    groups: [...roster.groups].map(([group, devices]) => [group, [...devices]] as const),
    tokens: [...roster.tokens.values()],
    removed: [...roster.removed],
    mismatches: [...roster.mismatches],
  };
}

export function restoreRoster(snapshot: RosterSnapshot): Roster {
  return {
    tenant: snapshot.tenant,
    head: snapshot.head,
    keySeq: snapshot.keySeq,
    devices: new Map(snapshot.devices.map((device) => [device.device, device])),
    names: new Map(snapshot.devices.map(({ device, name }) => [name.toLowerCase(), device])),
    groups: new Map(snapshot.groups.map(([group, devices]) => [group, new Set(devices)])),
    tokens: new Map(snapshot.tokens.map((token) => [token.token, token])),
    removed: new Set(snapshot.removed),
    mismatches: [...(snapshot.mismatches ?? [])],
  };
}

/** Judges the entry after the roster's head and applies it. Throws a refusal, with the roster as it was. */
export function judgeRosterEvent(
  roster: Roster,
  bytes: Uint8Array,
  keyLog: KeyLogView,
): { event: RosterEvent; id: string } {
  const envelope = readEnvelopeOf("roster-event", bytes);
  const { event, signers } = readVerifiedRosterEvent(envelope, keyLog);
  if (event.tenant !== roster.tenant) throw refuse("tenant-other", `tenant ${event.tenant}`);
  checkPlace(roster, event);
  if (event.keyHead.seq < roster.keySeq) {
    throw refuse("roster-backdated", `key log ${event.keyHead.seq}, already at ${roster.keySeq}`);
  }
  const needed = signersNeeded(roster, event, keyLog);
  if (signers.size < needed) throw refuse("signers-few", `${signers.size} of ${needed} operators signed`);
  const applyChange = planned(roster, event, signers);
  const id = statementId(envelope);
  applyChange();
  roster.head = { seq: event.seq, id };
  roster.keySeq = event.keyHead.seq;
  return { event, id };
}

/**
 * A roster entry by itself: signed by keys that could sign at the key log's place that it names. A device takes the
 * entries about itself this way, without the rest of the roster (SPEC 5.4).
 */
export function readVerifiedRosterEvent(
  envelope: UnverifiedEnvelope,
  keyLog: KeyLogView,
): { event: RosterEvent; signers: ReadonlySet<string> } {
  const message = pae(envelope.payloadType, envelope.payload);
  const signedBy = envelope.signatures.flatMap(({ key, signature }) => {
    const terms = keyLog.state.terms.filter((term) => term.key === key);
    const [term] = terms;
    if (term === undefined) return [];
    if (!verifySignature({ publicKey: keyBytes(term.sig), message, signature }))
      throw refuse("signature-bad", `key ${key}`);
    return [key];
  });
  if (signedBy.length === 0) throw refuse("signer-unknown", "no key of this tenant's log");
  const event = readRosterEvent(envelope.payload);
  const place = placeIn(keyLog, event.keyHead);
  if (place === "ahead") throw refuse("log-gap", `key log ${event.keyHead.seq}, known to ${keyLog.state.head.seq}`);
  if (place === "forked") throw refuse("log-fork", `key log ${event.keyHead.seq} ${event.keyHead.id}`);
  const terms = signedBy.flatMap((key) => termAt(keyLog.state, key, event.keyHead.seq) ?? []);
  if (terms.length === 0) throw refuse("signer-revoked", `no key that was active at ${event.keyHead.seq}`);
  const signers = new Set(terms.filter(({ role }) => role !== "auditor").map(({ operator }) => operator));
  if (signers.size === 0) throw refuse("signer-role", "an auditor may not change the roster");
  return { event, signers };
}

function checkPlace(roster: Roster, event: RosterEvent): void {
  const next = roster.head === undefined ? 0 : roster.head.seq + 1;
  const prev = roster.head?.id ?? roster.tenant;
  if (event.seq > next) throw refuse("log-gap", `entry ${event.seq} after ${next - 1}`);
  if (event.seq < next || event.prev !== prev) throw refuse("log-fork", `entry ${event.seq} on ${event.prev}`);
  if (event.seq >= MAX_ROSTER_EVENTS) throw refuse("log-full", `entry ${event.seq} of at most ${MAX_ROSTER_EVENTS}`);
}

/**
 * A class that asks for two signatures is left only by two: otherwise one person could lower it and act alone. By the
 * policy and the people at the place that the entry names, so that everybody judges it alike for ever.
 */
function signersNeeded(roster: Roster, event: RosterEvent, { state }: KeyLogView): number {
  if (event.type !== "device.class") return 1;
  const current = roster.devices.get(event.device)?.class;
  if (current === undefined) return 1;
  const { seq } = event.keyHead;
  const isAble = ({ role, from, to }: KeyTerm) => role !== "auditor" && from <= seq && (to === undefined || seq < to);
  const able = state.terms.filter(isAble).length;
  return Math.max(1, Math.min(able, jobThreshold(policyAt(state, seq), { kind: "run", class: current })));
}

/** Checks what an entry asks for against the roster, and answers the change that it makes. */
function planned(roster: Roster, event: RosterEvent, signers: ReadonlySet<string>): () => void {
  switch (event.type) {
    case "device.admit":
      return admission(roster, event);
    case "device.name":
      checkNameFree(roster, event);
      return renaming(roster, event);
    case "device.class":
      return change(roster, event.device, { class: event.class });
    case "device.remove":
      return removal(roster, event.device);
    case "group.change":
      return regrouping(roster, event);
    case "group.remove":
      if (!roster.groups.has(event.group)) throw refuse("log-no-change", `no group ${event.group}`);
      return () => void roster.groups.delete(event.group);
    case "token.add":
      if (roster.tokens.has(event.token)) throw refuse("log-no-change", `token ${event.token}`);
      return () => void roster.tokens.set(event.token, tokenOf(event));
    case "token.wrap":
      return rewrapping(roster, event);
    case "code.mismatch":
      return () => noteMismatch(roster, event, signers);
    case "anchor":
      return () => undefined;
    default:
      throw new Error(`internal error: no effect for ${JSON.stringify(event satisfies never)}`);
  }
}

function admission(roster: Roster, event: Extract<RosterEvent, { type: "device.admit" }>): () => void {
  if (roster.devices.has(event.device)) throw refuse("roster-device-exists", `device ${event.device}`);
  if (thumbprint(keyBytes(event.sig)) !== event.device) throw refuse("device-id", `device ${event.device}`);
  checkNameFree(roster, event);
  const token = event.token === undefined ? undefined : usableToken(roster, event.token, event.time);
  if (token !== undefined && roster.removed.has(event.device)) {
    throw refuse("roster-device-removed", `device ${event.device}, by token ${token.token}`);
  }
  const { device, sig, enc, name, class: deviceClass, request, time: since } = event;
  return () => {
    if (token !== undefined) roster.tokens.set(token.token, { ...token, uses: token.uses + 1 });
    const via = token === undefined ? {} : { token: token.token };
    roster.devices.set(device, { device, sig, enc, name, class: deviceClass, request, since, ...via });
    roster.names.set(name.toLowerCase(), device);
    roster.removed.delete(device);
    for (const group of event.groups) groupOf(roster, group).add(device);
  };
}

/** The newest wraps first, one for each key, as many as a token may have. */
function rewrapping(roster: Roster, { token: id, wraps }: Extract<RosterEvent, { type: "token.wrap" }>): () => void {
  const token = roster.tokens.get(id);
  if (token === undefined) throw refuse("roster-token-unknown", `token ${id}`);
  const fresh = new Set(wraps.map(({ to }) => to));
  const kept = token.wraps.filter(({ to }) => !fresh.has(to));
  return () => void roster.tokens.set(id, { ...token, wraps: [...wraps, ...kept].slice(0, MAX_OPERATORS) });
}

/** Kept for the last thirty-two: they are shown to people, and ten within a month are the most that counts. */
function noteMismatch(
  roster: Roster,
  { request, name, time }: Extract<RosterEvent, { type: "code.mismatch" }>,
  signers: ReadonlySet<string>,
): void {
  roster.mismatches.push({ request, name, by: [...signers][0] ?? "", time });
  if (roster.mismatches.length > MAX_MISMATCHES) roster.mismatches.shift();
}

/** A token that may admit one more device at this time. Throws a `token-*` refusal or `roster-token-unknown`. */
export function usableToken(roster: Roster, id: string, time: number): RosterToken {
  const token = roster.tokens.get(id);
  if (token === undefined) throw refuse("roster-token-unknown", `token ${id}`);
  if (time > token.notAfter) throw refuse("token-expired", `until ${token.notAfter}`);
  if (token.uses >= token.maxUses) throw refuse("token-spent", `${token.uses} of ${token.maxUses} uses`);
  return token;
}

function regrouping(roster: Roster, event: Extract<RosterEvent, { type: "group.change" }>): () => void {
  for (const device of event.add) known(roster, device);
  return () => {
    const group = groupOf(roster, event.group);
    for (const device of event.add) group.add(device);
    for (const device of event.remove) group.delete(device);
  };
}

function removal(roster: Roster, device: string): () => void {
  const { name } = known(roster, device);
  return () => {
    roster.devices.delete(device);
    roster.names.delete(name.toLowerCase());
    roster.removed.add(device);
    for (const members of roster.groups.values()) members.delete(device);
  };
}

function change(roster: Roster, device: string, changed: Pick<RosterDevice, "class">): () => void {
  const before = known(roster, device);
  return () => void roster.devices.set(device, { ...before, ...changed });
}

function renaming(roster: Roster, { device, name }: { device: string; name: string }): () => void {
  const before = known(roster, device);
  return () => {
    roster.names.delete(before.name.toLowerCase());
    roster.names.set(name.toLowerCase(), device);
    roster.devices.set(device, { ...before, name });
  };
}

function known(roster: Roster, id: string): RosterDevice {
  const device = roster.devices.get(id);
  if (device === undefined) throw refuse("roster-device-unknown", `device ${id}`);
  return device;
}

function checkNameFree(roster: Roster, { device, name }: { device: string; name: string }): void {
  const taken = roster.names.get(name.toLowerCase());
  if (taken !== undefined && taken !== device) throw refuse("roster-name-taken", name);
}

function groupOf(roster: Roster, group: string): Set<string> {
  const members = roster.groups.get(group) ?? new Set<string>();
  roster.groups.set(group, members);
  return members;
}

function tokenOf(event: Extract<RosterEvent, { type: "token.add" }>): RosterToken {
  const { token, mode, maxUses, notAfter, class: deviceClass, groups, wraps } = event;
  return { token, mode, maxUses, notAfter, class: deviceClass, groups, wraps, uses: 0 };
}
