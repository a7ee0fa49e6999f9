// A checkpoint: an operator's client says which heads it knows at a time; and the freshness rule that counts on it (SPEC 4.5).
import * as v from "valibot";
import { pae, readEnvelopeOf } from "./envelope.ts";
import { Digest, LogPlace, readFields, Time } from "./fields.ts";
import { isRevokedByFork, type KeyLogState, keyBytes, type Operator } from "./key-state.ts";
import { type KeyLogView, placeIn } from "./key-view.ts";
import { MAX_CLOCK_AHEAD_MS } from "./limits.ts";
import { refuse } from "./refusal.ts";
import { verifySignature } from "./signature.ts";

const Checkpoint = v.strictObject({
  tenant: Digest,
  keyHead: LogPlace,
  rosterHead: v.exactOptional(LogPlace),
  time: Time,
});
export type Checkpoint = Readonly<v.InferOutput<typeof Checkpoint>>;

const MAX_CHECKPOINT_BYTES = 4096;

/** A checkpoint of an active admin or operator, and whose it is. One that is ahead of our log says that we are behind. */
export function readCheckpoint(
  bytes: Uint8Array,
  keyLog: KeyLogView,
): { checkpoint: Checkpoint; operator: string; place: "ahead" | "known" } {
  const { checkpoint, operator } = readCheckpointAnywhere(bytes, keyLog.state);
  const place = placeIn(keyLog, checkpoint.keyHead);
  if (place === "forked") throw refuse("log-fork", `key log ${checkpoint.keyHead.seq} ${checkpoint.keyHead.id}`);
  return { checkpoint, operator, place };
}

/** The same wherever it stands, beside our line too: whoever shows people what colleagues signed has to say that. */
export function readCheckpointAnywhere(
  bytes: Uint8Array,
  state: KeyLogState,
): { checkpoint: Checkpoint; operator: string } {
  const envelope = readEnvelopeOf("checkpoint", bytes);
  const message = pae(envelope.payloadType, envelope.payload);
  const [first, second] = envelope.signatures;
  if (first === undefined || second !== undefined)
    throw refuse("envelope-signatures", "a checkpoint has one signature");
  const operator = state.operators.find(({ key }) => key === first.key);
  if (operator === undefined) throw refuse("signer-unknown", `key ${first.key}`);
  if (!verifySignature({ publicKey: keyBytes(operator.sig), message, signature: first.signature })) {
    throw refuse("signature-bad", `key ${first.key}`);
  }
  if (operator.role === "auditor") throw refuse("signer-role", "an auditor does not vouch for the log");
  if (isRevokedByFork(state, first.key)) throw refuse("signer-revoked", `key ${first.key}`);
  const checkpoint = readFields(Checkpoint, envelope.payload, MAX_CHECKPOINT_BYTES);
  if (checkpoint.tenant !== state.tenant) throw refuse("tenant-other", `tenant ${checkpoint.tenant}`);
  return { checkpoint, operator: operator.operator };
}

/** When each operator last vouched for a head of our line, by operator id. */
export type Vouches = ReadonlyMap<string, number>;

/**
 * Whether a job may run although the relay might be withholding a revocation (SPEC 4.5). `signers` are the operators
 * who signed the job, which is itself their word as of `issuedAt`.
 */
export function isFresh(
  state: KeyLogState,
  { signers, issuedAt, vouches, now }: { signers: readonly string[]; issuedAt: number; vouches: Vouches; now: number },
): boolean {
  const { mode, maxAgeMs } = state.policy.freshness;
  if (mode === "off") return true;
  const able = state.operators.filter(({ role, key }) => role !== "auditor" && !isRevokedByFork(state, key));
  const isYoung = (time: number) => time >= now - maxAgeMs && time <= now + MAX_CLOCK_AHEAD_MS;
  const hasVouched = (one: Operator) => isYoung(lastWord(one, vouches));
  const others = able.filter(({ operator }) => !signers.includes(operator));
  if (others.some(hasVouched)) return true;
  const countsOwn = mode === "any" || signers.length >= 2 || others.length === 0;
  return countsOwn && (isYoung(issuedAt) || able.some((one) => signers.includes(one.operator) && hasVouched(one)));
}

/**
 * When an operator last vouched for the log: by a checkpoint, or by the entry that made their key active. Otherwise a colleague's jobs
 * would stop from the moment in which somebody new is approved until that person first unlocks.
 */
export function lastWord({ operator, admittedAt }: Operator, vouches: Vouches): number {
  return Math.max(admittedAt ?? 0, vouches.get(operator) ?? 0);
}
