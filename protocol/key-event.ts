// The entries of a key log, as they are signed: fields, types and bounds (SPEC 4.1).
import * as v from "valibot";
import { Digest, Id, Name, Reason, readFields, SealingKey, Seq, Time, whole } from "./fields.ts";
import { MAX_CARRIED_CHARS, MAX_EVENT_BYTES, MAX_ROOT_KEYS, MAX_SUPERSEDED } from "./limits.ts";
import { Policy } from "./policy.ts";

export const Role = v.picklist(["admin", "operator", "auditor"]);
export type Role = v.InferOutput<typeof Role>;

/** A new signature key with its owner. `sig` and `recovery` are raw Ed25519 keys, `enc` is a raw X25519 key. */
export const NewKey = v.strictObject({
  operator: Id,
  name: Name,
  role: Role,
  sig: Digest,
  enc: SealingKey,
  recovery: v.exactOptional(Digest),
  /** How the key is derived: from a passphrase and a setup secret, or from a passphrase alone. */
  mode: v.picklist(["setup", "passphrase"]),
  notAfter: Time,
});
export type NewKey = Readonly<v.InferOutput<typeof NewKey>>;

export const RootKeys = v.strictObject({
  keys: v.pipe(v.array(Digest), v.maxLength(MAX_ROOT_KEYS)),
  /** Zero only where there are no root keys. */
  threshold: whole(0, MAX_ROOT_KEYS),
});
export type RootKeys = Readonly<v.InferOutput<typeof RootKeys>>;

/** What happens to jobs of the ended key that devices have accepted and not begun. */
const QueuedJobs = v.picklist(["cancel", "keep"]);

const Genesis = v.strictObject({
  type: v.literal("genesis"),
  seq: v.literal(0),
  time: Time,
  /** The organisation's name, for people. */
  name: Name,
  /** 1, and one more with each reset. */
  epoch: whole(1, 1_000_000),
  nonce: Id,
  /** Every earlier tenant of the organisation; devices that bind here refuse them for good. */
  supersedes: v.pipe(v.array(Digest), v.maxLength(MAX_SUPERSEDED)),
  key: NewKey,
  root: RootKeys,
  policy: Policy,
});

/** A key request's envelope in base64url: the new keys' word for an entry that is signed while their owner is away (SPEC 4.8). */
const Carried = v.exactOptional(v.pipe(v.string(), v.maxLength(MAX_CARRIED_CHARS)));

const chained = { tenant: Digest, seq: Seq, prev: Digest, time: Time };

const Later = v.variant("type", [
  v.strictObject({ ...chained, type: v.literal("operator.add"), key: NewKey, request: Carried }),
  v.strictObject({ ...chained, type: v.literal("operator.replace"), key: NewKey, request: Carried }),
  v.strictObject({ ...chained, type: v.literal("operator.change"), key: NewKey, jobs: QueuedJobs }),
  v.strictObject({ ...chained, type: v.literal("operator.recover"), key: NewKey }),
  v.strictObject({ ...chained, type: v.literal("operator.recovery"), operator: Id, recovery: v.exactOptional(Digest) }),
  v.strictObject({
    ...chained,
    type: v.literal("operator.revoke"),
    operator: Id,
    key: Digest,
    reason: Reason,
    jobs: QueuedJobs,
  }),
  v.strictObject({ ...chained, type: v.literal("operator.role"), operator: Id, role: Role }),
  v.strictObject({ ...chained, type: v.literal("policy.set"), policy: Policy }),
  v.strictObject({ ...chained, type: v.literal("root.set"), root: RootKeys }),
  v.strictObject({ ...chained, type: v.literal("tenant.close"), reason: Reason }),
]);

export type GenesisEvent = Readonly<v.InferOutput<typeof Genesis>>;
export type LaterEvent = Readonly<v.InferOutput<typeof Later>>;
export type KeyEvent = GenesisEvent | LaterEvent;

export function readGenesis(payload: Uint8Array): GenesisEvent {
  return readFields(Genesis, payload, MAX_EVENT_BYTES);
}

export function readLaterEvent(payload: Uint8Array): LaterEvent {
  return readFields(Later, payload, MAX_EVENT_BYTES);
}
