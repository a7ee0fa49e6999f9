// The state of a key log and what each entry does to it; whether an entry may do it is judged elsewhere (SPEC 4.2).
import { fromBase64url } from "./bytes.ts";
import type { LogPlace } from "./fields.ts";
import type { LaterEvent, NewKey, Role, RootKeys } from "./key-event.ts";
import { inheritedWait, isFreeAdmin, laterWait, type Wait } from "./key-wait.ts";
import type { Policy } from "./policy.ts";
import { refuse } from "./refusal.ts";
import { thumbprint } from "./signature.ts";

/** A person with an active signature key. `key` is its thumbprint. */
export type Operator = NewKey &
  Wait & {
    readonly key: string;
    /** Place of the event that made this key active. */
    readonly since: number;
    /** The time that this event says; absent in a state that an earlier program kept. */
    readonly admittedAt?: number;
  };

/** How a key's term ended. */
export type TermEnd = "replaced" | "changed" | "recovered" | "revoked" | "role";

/** One stretch of one key in one role: `from` inclusive, `to` exclusive and absent while it lasts. */
export type KeyTerm = {
  readonly key: string;
  readonly sig: string;
  readonly operator: string;
  readonly name: string;
  readonly role: Role;
  readonly from: number;
  readonly to?: number;
  readonly end?: TermEnd;
  /** Whether jobs that were accepted under this key and have not begun are dropped. */
  readonly jobs?: "cancel" | "keep";
};

/** Evidence of two entries at one place; a revocation in one ends its key for jobs at once (SPEC 4.6). */
export type Fork = { readonly id: string; readonly seq: number; readonly revokes?: string };

/** Plain data, so that it can be stored and read back as JSON. */
export type KeyLogState = {
  readonly tenant: string;
  readonly name: string;
  readonly epoch: number;
  readonly supersedes: readonly string[];
  readonly head: LogPlace;
  readonly closed: boolean;
  readonly operators: readonly Operator[];
  readonly terms: readonly KeyTerm[];
  /** Thumbprints of every key that ever stood in the log, recovery and root keys among them. */
  readonly seen: readonly string[];
  readonly root: RootKeys;
  readonly policy: Policy;
  /** Every policy with the place from which it is in force: a roster entry is judged by the one at the place it names. */
  readonly policies: readonly { readonly from: number; readonly policy: Policy }[];
  readonly forks: readonly Fork[];
};

/** The policy in force at this place of the log. */
export function policyAt(state: KeyLogState, seq: number): Policy {
  return state.policies.findLast(({ from }) => from <= seq)?.policy ?? state.policy;
}

/** Whether an entry beside our line revokes this key: it signs nothing more that counts (SPEC 4.6). */
export function isRevokedByFork(state: KeyLogState, key: string): boolean {
  return state.forks.some(({ revokes }) => revokes === key);
}

/** The term in which a key could sign at this place of the log. */
export function termAt(state: KeyLogState, key: string, seq: number): KeyTerm | undefined {
  return state.terms.find((term) => term.key === key && term.from <= seq && (term.to === undefined || seq < term.to));
}

/** The last term of a key, ended or not. */
export function lastTerm(state: KeyLogState, key: string): KeyTerm | undefined {
  return state.terms.findLast((term) => term.key === key);
}

/** Raw key bytes of a field that a schema has checked. */
export function keyBytes(field: string): Uint8Array {
  const bytes = fromBase64url(field);
  if (bytes === undefined) throw new Error("internal error: an unchecked key field");
  return bytes;
}

/** Thumbprint of the raw signature key in a checked field. */
export function fingerprint(field: string): string {
  return thumbprint(keyBytes(field));
}

export type Applied = Omit<KeyLogState, "head" | "seen">;

/** The state after an entry by these operators, but for its head. Throws where the entry does not fit the state. */
export function apply(state: KeyLogState, event: LaterEvent, signers: readonly Operator[]): Applied {
  switch (event.type) {
    case "operator.add":
      return addOperator(state, event, signers);
    case "operator.replace":
      return succeed(state, event, { end: "replaced", jobs: "cancel", signers });
    case "operator.change":
      return succeed(state, event, { end: "changed", jobs: event.jobs, signers });
    case "operator.recover":
      if (event.key.recovery === undefined) throw refuse("field-missing", "key.recovery");
      return succeed(state, event, { end: "recovered", jobs: "cancel", signers });
    case "operator.recovery":
      return setRecovery(state, event);
    case "operator.revoke":
      return revoke(state, event);
    case "operator.role":
      return setRole(state, event, signers);
    case "policy.set":
      return {
        ...state,
        policy: event.policy,
        policies: [...state.policies, { from: event.seq, policy: event.policy }],
      };
    case "root.set":
      return setRoot(state, event.root);
    case "tenant.close":
      return { ...state, closed: true };
    default:
      throw new Error(`internal error: no effect for ${JSON.stringify(event satisfies never)}`);
  }
}

type Addition = Extract<LaterEvent, { type: "operator.add" }>;

function addOperator(state: KeyLogState, event: Addition, signers: readonly Operator[]): Applied {
  if (state.operators.some(({ operator }) => operator === event.key.operator)) {
    throw refuse("log-operator-exists", `operator ${event.key.operator}`);
  }
  const operator = {
    ...operatorOf(event.key, { since: event.seq, time: event.time }),
    ...inheritedWait(signers, event.seq),
  };
  return { ...state, operators: [...state.operators, operator], terms: [...state.terms, termOf(operator, event.seq)] };
}

type Succession = Extract<LaterEvent, { type: "operator.replace" | "operator.change" | "operator.recover" }>;

/** A known person's next key: the role stays, the key before ends here. */
function succeed(
  state: KeyLogState,
  event: Succession,
  { end, jobs, signers }: { end: TermEnd; jobs: "cancel" | "keep"; signers: readonly Operator[] },
): Applied {
  const before = currentOperator(state, event.key.operator);
  if (event.key.role !== before.role)
    throw refuse("field-invalid", `key.role: ${event.key.role}, must stay ${before.role}`);
  const after = {
    ...operatorOf(event.key, { since: event.seq, time: event.time }),
    ...waitOf(event, { before, signers, policy: state.policy }),
  };
  return {
    ...state,
    operators: state.operators.map((operator) => (operator.operator === before.operator ? after : operator)),
    terms: [...endTerm(state.terms, before.key, { to: event.seq, end, jobs }), termOf(after, event.seq)],
  };
}

type Before = { readonly before: Operator; readonly signers: readonly Operator[]; readonly policy: Policy };

/** A recovered key waits, never less than the key before it; its owner's word alone ends no wait, a free admin's does. */
function waitOf({ type, seq }: Succession, { before, signers, policy }: Before): Wait {
  switch (type) {
    case "operator.recover":
      return { delayMs: Math.max(policy.recoveryDelayMs, before.delayMs), delayFrom: seq };
    case "operator.change":
      return signers.some(isFreeAdmin)
        ? inheritedWait(signers, seq)
        : { delayMs: before.delayMs, delayFrom: before.delayFrom };
    case "operator.replace":
      return inheritedWait(signers, seq);
    default:
      throw new Error(`internal error: no wait for ${JSON.stringify(type satisfies never)}`);
  }
}

function setRecovery(state: KeyLogState, event: Extract<LaterEvent, { type: "operator.recovery" }>): Applied {
  const before = currentOperator(state, event.operator);
  if (event.recovery === undefined && before.recovery === undefined)
    throw refuse("log-no-change", "there is no recovery key");
  const { recovery: _ended, ...rest } = before;
  const after: Operator = { ...rest, ...(event.recovery === undefined ? {} : { recovery: event.recovery }) };
  return { ...state, operators: state.operators.map((operator) => (operator.key === before.key ? after : operator)) };
}

export function revoke(state: KeyLogState, event: Extract<LaterEvent, { type: "operator.revoke" }>): Applied {
  const before = currentOperator(state, event.operator);
  if (before.key !== event.key)
    throw refuse("log-operator-unknown", `operator ${event.operator} with key ${event.key}`);
  return {
    ...state,
    operators: state.operators.filter(({ operator }) => operator !== event.operator),
    terms: endTerm(state.terms, before.key, { to: event.seq, end: "revoked", jobs: event.jobs }),
  };
}

type RoleChange = Extract<LaterEvent, { type: "operator.role" }>;

function setRole(state: KeyLogState, event: RoleChange, signers: readonly Operator[]): Applied {
  const before = currentOperator(state, event.operator);
  if (before.role === event.role) throw refuse("log-no-change", `the role is ${event.role}`);
  const after: Operator = { ...before, ...laterWait(before, inheritedWait(signers, event.seq)), role: event.role };
  return {
    ...state,
    operators: state.operators.map((operator) => (operator.operator === event.operator ? after : operator)),
    terms: [
      ...endTerm(state.terms, before.key, { to: event.seq, end: "role", jobs: "keep" }),
      termOf(after, event.seq),
    ],
  };
}

function setRoot(state: KeyLogState, root: RootKeys): Applied {
  const { keys, threshold } = checkRoot(root);
  const isSame = keys.length === state.root.keys.length && keys.every((key) => state.root.keys.includes(key));
  if (isSame && threshold === state.root.threshold) throw refuse("log-no-change", "the root keys stay as they are");
  return { ...state, root };
}

function currentOperator(state: KeyLogState, id: string): Operator {
  const operator = state.operators.find((candidate) => candidate.operator === id);
  if (operator === undefined) throw refuse("log-operator-unknown", `operator ${id}`);
  return operator;
}

export function operatorOf(key: NewKey, { since, time }: { since: number; time: number }): Operator {
  return { ...key, key: fingerprint(key.sig), since, admittedAt: time, delayMs: 0, delayFrom: since };
}

export function termOf({ key, sig, operator, name, role }: Operator, from: number): KeyTerm {
  return { key, sig, operator, name, role, from };
}

function endTerm(
  terms: readonly KeyTerm[],
  key: string,
  ending: Required<Pick<KeyTerm, "to" | "end" | "jobs">>,
): readonly KeyTerm[] {
  // A key that has ended never comes back, so no other term of it is open.
  const at = terms.findLastIndex((term) => term.key === key && term.to === undefined);
  const open = terms[at];
  return open === undefined ? terms : terms.with(at, { ...open, ...ending });
}

/** Throws `field-invalid` for a key that would count twice, or a threshold that the keys cannot reach. */
export function checkRoot(root: RootKeys): RootKeys {
  if (new Set(root.keys).size !== root.keys.length) throw refuse("field-invalid", "root.keys: distinct keys");
  const fits =
    root.keys.length === 0 ? root.threshold === 0 : root.threshold >= 1 && root.threshold <= root.keys.length;
  if (!fits) throw refuse("field-invalid", `root.threshold: ${root.threshold} of ${root.keys.length} keys`);
  return root;
}
