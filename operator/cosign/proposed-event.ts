// An entry of the key log that waits for another signature, judged against the log as it is: what it does, who signed, and
// who else has to.
import type { UnverifiedEnvelope } from "../../protocol/envelope.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { verifiedSigners } from "../../protocol/key-authority.ts";
import { type LaterEvent, readLaterEvent } from "../../protocol/key-event.ts";
import { judgeEvent } from "../../protocol/key-log.ts";
import { fingerprint, type KeyLogState, type Operator } from "../../protocol/key-state.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import { Fault } from "../fault.ts";
import { adminRule } from "../keys/admin-rule.ts";
import type { UnverifiedProposal } from "./proposals.ts";

export type ProposedEvent = {
  readonly event: LaterEvent;
  /** Those who may sign it and did. */
  readonly signers: readonly Operator[];
  /** Those who may sign it, and how many of them must. */
  readonly eligible: readonly Operator[];
  readonly needed: number;
  /** With signatures of the log's keys and of those that it brings, and no others. */
  readonly envelope: UnverifiedEnvelope;
};

/**
 * Throws `proposal-stale` where the log has grown since, and whatever else the log would refuse it for but too few signatures.
 */
export function readProposedEvent(state: KeyLogState, { envelope: unverified, id }: UnverifiedProposal): ProposedEvent {
  const { operators } = verifiedSigners(state, unverified);
  const event = readLaterEvent(unverified.payload);
  if (event.tenant !== state.tenant) throw refuse("tenant-other", `tenant ${event.tenant}`);
  if (event.prev !== state.head.id || event.seq !== state.head.seq + 1) throw new Fault("proposal-stale", id);
  const rule = adminRule(state, event);
  if (rule === undefined) throw refuse("signer-role", `${event.type} is signed by nobody else`);
  const signers = rule.eligible.filter(({ operator }) => operators.some((one) => one.operator === operator));
  const envelope = { ...unverified, signatures: unverified.signatures.filter(isOfLogOrNew(state, event)) };
  return { event, signers, ...rule, envelope };
}

/** Whether the log would take it as it is signed. Throws what it would refuse it for, but for too few signatures. */
export function isTaken(state: KeyLogState, bytes: Uint8Array): boolean {
  try {
    judgeEvent(state, bytes, admitKey);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code === "signers-few") return false;
    throw error;
  }
}

/** Keys that say something about this entry; what others signed is left out, or it would take the place of those who must. */
function isOfLogOrNew(state: KeyLogState, event: LaterEvent): (signature: { readonly key: string }) => boolean {
  const brought = "key" in event && typeof event.key !== "string" ? [event.key.sig, event.key.recovery] : [];
  const raw = [...brought, ...state.root.keys].filter((key) => key !== undefined);
  const keys = new Set([...raw.map(fingerprint), ...state.operators.map(({ key }) => key)]);
  return ({ key }) => keys.has(key);
}
