// The key log, judged: from the state before an entry, whether the entry is taken and what the state is after it (SPEC 4).
// Whoever holds the log judges it alone; no clock and nothing that a relay says decides.
import { readEnvelopeOf, statementId, type UnverifiedEnvelope } from "./envelope.ts";
import type { AdmitKey } from "./key-admission.ts";
import { checkAuthority, requireRevokers, signedBySomebody, verifiedSigners } from "./key-authority.ts";
import { type KeyEvent, type LaterEvent, readGenesis, readLaterEvent } from "./key-event.ts";
import { checkCarriedRequest, checkProofs } from "./key-request.ts";
import {
  apply,
  checkRoot,
  fingerprint,
  isRevokedByFork,
  type KeyLogState,
  keyBytes,
  operatorOf,
  revoke,
  termOf,
} from "./key-state.ts";
import { MAX_FORKS, MAX_KEY_EVENTS, MAX_KEY_LIFETIME_MS, MAX_OPERATORS, RESERVED_KEY_EVENTS } from "./limits.ts";
import { Refusal, refuse } from "./refusal.ts";
import { hasSeen, withSeen } from "./seen-keys.ts";

export type Judged = { readonly state: KeyLogState; readonly event: KeyEvent; readonly id: string };

/** Judges a log's first entry. Its id is the tenant. Throws a refusal of SPEC 2, 3 or 4. */
export function judgeGenesis(bytes: Uint8Array, admit: AdmitKey): Judged {
  const envelope = readEnvelopeOf("key-event", bytes);
  const event = readGenesis(envelope.payload);
  const id = statementId(envelope);
  const root = checkRoot(event.root);
  checkNewKeys(newKeysOf(event), [], admit);
  checkProofs(envelope, newKeysOf(event));
  if (event.key.role !== "admin") throw refuse("log-last-admin", "the first operator must be an admin");
  checkLifetime(event);
  const operator = operatorOf(event.key, { since: 0, time: event.time });
  return {
    id,
    event,
    state: {
      tenant: id,
      name: event.name,
      epoch: event.epoch,
      supersedes: event.supersedes,
      head: { seq: 0, id },
      closed: false,
      operators: [operator],
      terms: [termOf(operator, 0)],
      seen: newKeysOf(event).map(fingerprint),
      root,
      policy: event.policy,
      policies: [{ from: 0, policy: event.policy }],
      forks: [],
    },
  };
}

/** Judges the entry after `state.head`. Throws a refusal; the state before stays as it was. */
export function judgeEvent(state: KeyLogState, bytes: Uint8Array, admit: AdmitKey): Judged {
  const envelope = readEnvelopeOf("key-event", bytes);
  const signers = verifiedSigners(state, envelope);
  const event = readLaterEvent(envelope.payload);
  if (event.tenant !== state.tenant) throw refuse("tenant-other", `tenant ${event.tenant}`);
  if (event.seq > state.head.seq + 1) throw refuse("log-gap", `entry ${event.seq} after ${state.head.seq}`);
  if (event.seq <= state.head.seq || event.prev !== state.head.id) {
    throw refuse("log-fork", `entry ${event.seq} on ${event.prev}, the head is ${state.head.seq} ${state.head.id}`);
  }
  if (state.closed) throw refuse("tenant-closed", "nothing follows the closing entry");
  checkRoom(state, event);
  checkAuthority(state, event, signers);
  const newKeys = newKeysOf(event, state);
  checkNewKeys(newKeys, state.seen, admit);
  checkPossession(envelope, event, newKeys);
  checkLifetime(event);
  const id = statementId(envelope);
  const after = apply(state, event, signers.operators);
  if (!after.operators.some(({ role }) => role === "admin")) throw refuse("log-last-admin", event.type);
  return {
    id,
    event,
    state: {
      ...after,
      head: { seq: event.seq, id },
      seen: withSeen(state.seen, newKeys.map(fingerprint)),
      forks: state.forks.filter((fork) => fork.id !== id),
    },
  };
}

/** Judges a whole log from its first entry. Throws a refusal for the first entry that is not taken. */
export function judgeLog(entries: readonly Uint8Array[], admit: AdmitKey): KeyLogState {
  const [first, ...later] = entries;
  if (first === undefined) throw refuse("log-gap", "an empty log");
  return later.reduce((state, entry) => judgeEvent(state, entry, admit).state, judgeGenesis(first, admit).state);
}

/**
 * Keeps an entry that does not follow our line as evidence, if somebody of this log signed it; a revocation in it that
 * its signers could make at our head ends the key for jobs and checkpoints, wherever it stands (SPEC 4.6). For every
 * entry that `judgeEvent` refused with `log-fork` or `log-gap`. `known` is the id that has a place here.
 * Answers the same state where the entry is no evidence.
 */
export function noteFork(
  state: KeyLogState,
  bytes: Uint8Array,
  known: (seq: number) => string | undefined,
): KeyLogState {
  const envelope = readEnvelopeOf("key-event", bytes);
  const id = statementId(envelope);
  if (state.forks.some((fork) => fork.id === id) || !signedBySomebody(state, envelope)) return state;
  const event = readLaterEvent(envelope.payload);
  const { seq } = state.head;
  if (event.tenant !== state.tenant || (event.seq <= seq && known(event.seq) === id)) return state;
  if (event.seq === seq + 1 && event.prev === state.head.id) return state;
  const revokes = forkRevocation(state, envelope, event);
  // Beyond the next place nobody can say yet whether it is another line; a revocation by those who may make it counts anyway.
  if (revokes === undefined && (event.seq > seq + 1 || evidenceCount(state) >= MAX_FORKS)) return state;
  return { ...state, forks: [...state.forks, { id, seq: event.seq, ...(revokes === undefined ? {} : { revokes }) }] };
}

// --- Bounds ---

const TAKES_POWER_AWAY: readonly LaterEvent["type"][] = ["operator.revoke", "tenant.close"];

function checkRoom(state: KeyLogState, event: LaterEvent): void {
  const limit = TAKES_POWER_AWAY.includes(event.type) ? MAX_KEY_EVENTS : MAX_KEY_EVENTS - RESERVED_KEY_EVENTS;
  if (event.seq >= limit) throw refuse("log-full", `entry ${event.seq} of at most ${limit}`);
  if (event.type === "operator.add" && state.operators.length >= MAX_OPERATORS) {
    throw refuse("log-operators-many", `${state.operators.length} operators, at most ${MAX_OPERATORS}`);
  }
}

function checkLifetime(event: KeyEvent): void {
  if (!("key" in event) || typeof event.key === "string") return;
  const longest = event.time + MAX_KEY_LIFETIME_MS;
  if (event.key.notAfter > longest) throw refuse("log-lifetime", `until ${event.key.notAfter}, at most ${longest}`);
}

/**
 * Signature keys that an entry brings. A founder's recovery key may be a root key as well; all others are distinct. What
 * is a root key before the entry may stay one, and so may a recovery key through its owner's own change: they are not new.
 */
function newKeysOf(event: KeyEvent, before?: KeyLogState): readonly string[] {
  switch (event.type) {
    case "genesis":
      return [
        event.key.sig,
        ...optional(event.key.recovery),
        ...event.root.keys.filter((key) => key !== event.key.recovery),
      ];
    case "operator.change": {
      const kept = before?.operators.find(({ operator }) => operator === event.key.operator)?.recovery;
      return [event.key.sig, ...optional(event.key.recovery).filter((key) => key !== kept)];
    }
    case "operator.add":
    case "operator.replace":
    case "operator.recover":
      return [event.key.sig, ...optional(event.key.recovery)];
    case "operator.recovery":
      return optional(event.recovery);
    case "root.set":
      return event.root.keys.filter((key) => before?.root.keys.includes(key) !== true);
    default:
      return [];
  }
}

/** Each new key signs the entry that admits it, or the request that the entry carries: nobody registers another's key. */
function checkPossession(envelope: UnverifiedEnvelope, event: LaterEvent, newKeys: readonly string[]): void {
  const isCarried = event.type === "operator.add" || event.type === "operator.replace";
  if (!isCarried || event.request === undefined) return checkProofs(envelope, newKeys);
  const purpose = event.type === "operator.add" ? "add" : "replace";
  checkCarriedRequest(event.request, { tenant: event.tenant, key: event.key, purpose });
}

function optional(key: string | undefined): readonly string[] {
  return key === undefined ? [] : [key];
}

function checkNewKeys(newKeys: readonly string[], seen: readonly string[], admit: AdmitKey): void {
  const brought = new Set<string>();
  for (const newKey of newKeys) {
    const key = fingerprint(newKey);
    if (brought.has(key) || hasSeen(seen, key)) throw refuse("log-key-reused", `key ${key}`);
    brought.add(key);
    admit(keyBytes(newKey));
  }
}

// --- Forks ---

function evidenceCount(state: KeyLogState): number {
  return state.forks.filter(({ revokes }) => revokes === undefined).length;
}

function forkRevocation(state: KeyLogState, envelope: UnverifiedEnvelope, event: LaterEvent): string | undefined {
  if (event.type !== "operator.revoke") return undefined;
  try {
    requireRevokers(state, verifiedSigners(state, envelope), event.operator);
    const after = revoke(state, event);
    const isNews = !isRevokedByFork(state, event.key);
    return isNews && after.operators.some(({ role }) => role === "admin") ? event.key : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
