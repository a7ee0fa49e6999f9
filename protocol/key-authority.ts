// Whose signatures stand under a key-log entry, and whether they suffice for it (SPEC 4.3).
import { pae, type UnverifiedEnvelope } from "./envelope.ts";
import type { LaterEvent } from "./key-event.ts";
import { fingerprint, type KeyLogState, keyBytes, lastTerm, type Operator } from "./key-state.ts";
import { isFreeAdmin } from "./key-wait.ts";
import { policyThreshold } from "./policy.ts";
import { refuse } from "./refusal.ts";
import { verifySignature } from "./signature.ts";

export type Signers = {
  readonly operators: readonly Operator[];
  readonly root: number;
  /** Operator whose registered recovery key signed. */
  readonly recovering: string | undefined;
};

/**
 * Every signature by a key that is active here, checked over the bytes as they came. One that does not fit refuses the
 * whole; keys that are not known here may be new ones, and are checked after the entry is read.
 */
export function verifiedSigners(state: KeyLogState, envelope: UnverifiedEnvelope): Signers {
  const message = pae(envelope.payloadType, envelope.payload);
  const recoveries = state.operators.filter((operator) => operator.recovery !== undefined);
  const candidates = new Map<string, string>([
    ...state.operators.map(({ key, sig }) => [key, sig] as const),
    ...recoveries.map(({ recovery }) => [fingerprint(recovery ?? ""), recovery ?? ""] as const),
    ...state.root.keys.map((root) => [fingerprint(root), root] as const),
  ]);
  const signed = new Set<string>();
  for (const { key, signature } of envelope.signatures) {
    const candidate = candidates.get(key);
    if (candidate === undefined) continue;
    if (!verifySignature({ publicKey: keyBytes(candidate), message, signature }))
      throw refuse("signature-bad", `key ${key}`);
    signed.add(key);
  }
  if (signed.size === 0) throw strangerRefusal(state, envelope, message);
  return {
    operators: state.operators.filter(({ key }) => signed.has(key)),
    root: state.root.keys.filter((root) => signed.has(fingerprint(root))).length,
    recovering: recoveries.find(({ recovery }) => signed.has(fingerprint(recovery ?? "")))?.operator,
  };
}

function strangerRefusal(state: KeyLogState, envelope: UnverifiedEnvelope, message: Uint8Array) {
  const ended = envelope.signatures.find(({ key, signature }) => {
    const term = lastTerm(state, key);
    return term !== undefined && verifySignature({ publicKey: keyBytes(term.sig), message, signature });
  });
  return ended === undefined
    ? refuse("signer-unknown", "no active key of this log")
    : refuse("signer-revoked", `key ${ended.key}`);
}

/** Whether a key that is or was of this log signed, a root key among them. */
export function signedBySomebody(state: KeyLogState, envelope: UnverifiedEnvelope): boolean {
  const message = pae(envelope.payloadType, envelope.payload);
  return envelope.signatures.some(({ key, signature }) => {
    const sig = lastTerm(state, key)?.sig ?? state.root.keys.find((root) => fingerprint(root) === key);
    return sig !== undefined && verifySignature({ publicKey: keyBytes(sig), message, signature });
  });
}

/** Throws `signer-role` or `signers-few` where the signers may not make this entry. */
export function checkAuthority(state: KeyLogState, event: LaterEvent, signers: Signers): void {
  switch (event.type) {
    case "operator.add":
      return requireAdmins(state, signers, { subject: event.key.operator, count: state.policy.adminThreshold });
    case "operator.replace":
      return requireApproval(state, signers, event.key.operator);
    case "operator.change":
      return requireSelf(signers, event.key.operator);
    case "operator.recover":
      if (signers.recovering !== event.key.operator)
        throw refuse("signer-role", "only the operator's recovery key may recover");
      return;
    case "operator.recovery":
      return requireSelf(signers, event.operator);
    case "operator.revoke":
      return requireRevokers(state, signers, event.operator);
    case "operator.role":
      return requireApproval(state, signers, event.operator);
    case "policy.set":
      if (rootSigned(state, signers)) return;
      requireAdmins(state, signers, { count: policyThreshold(state.policy) });
      return requireFreeAdmin(state, signers);
    case "root.set":
      return requireRoot(state, signers);
    case "tenant.close":
      if (rootSigned(state, signers)) return;
      requireAdmins(state, signers, { count: 2 });
      return requireFreeAdmin(state, signers);
    default:
      throw new Error(`internal error: no rule for ${JSON.stringify(event satisfies never)}`);
  }
}

/**
 * Enough distinct admins besides the subject. The count is capped by how many there are, so that a shrunken tenant is
 * not locked out; that is why a rule of two means something only with three admins.
 */
function requireAdmins(
  state: KeyLogState,
  signers: Signers,
  { subject, count }: { readonly subject?: string; readonly count: number },
): void {
  const isEligible = ({ role, operator }: Operator) => role === "admin" && operator !== subject;
  const needed = Math.max(1, Math.min(count, state.operators.filter(isEligible).length));
  const signed = signers.operators.filter(isEligible).length;
  if (signed === 0) throw refuse("signer-role", "an admin other than the subject must sign");
  if (signed < needed) throw refuse("signers-few", `${signed} of ${needed} admins signed`);
}

function requireSelf(signers: Signers, operator: string): void {
  if (!signers.operators.some((signer) => signer.operator === operator)) {
    throw refuse("signer-role", "only the operator's own active key may do this");
  }
}

export function requireRevokers(state: KeyLogState, signers: Signers, subject: string): void {
  if (rootSigned(state, signers) || signers.operators.some(({ operator }) => operator === subject)) return;
  if (!isAdmin(state, subject)) return requireAdmins(state, signers, { subject, count: 1 });
  requireApproval(state, signers, subject);
}

/** The admins whom the policy asks for; about another admin, one of those who could stop a recovered key among them. */
function requireApproval(state: KeyLogState, signers: Signers, subject: string): void {
  requireAdmins(state, signers, { subject, count: state.policy.adminThreshold });
  if (isAdmin(state, subject)) requireFreeAdmin(state, signers);
}

/**
 * What would take an admin's power to revoke a recovered key away is signed by an admin who is in no waiting time, as
 * long as there is one; so nobody who recovered, and nobody whom they added, comes before those who could stop them.
 */
function requireFreeAdmin({ operators }: KeyLogState, signers: Signers): void {
  if (operators.some(isFreeAdmin) && !signers.operators.some(isFreeAdmin)) {
    throw refuse("signers-few", "an admin whose key is in no waiting time must sign as well");
  }
}

function isAdmin(state: KeyLogState, id: string): boolean {
  return state.operators.find(({ operator }) => operator === id)?.role === "admin";
}

function rootSigned(state: KeyLogState, signers: Signers): boolean {
  return state.root.threshold > 0 && signers.root >= state.root.threshold;
}

function requireRoot(state: KeyLogState, signers: Signers): void {
  if (signers.root === 0) throw refuse("signer-role", "a root key must sign");
  if (!rootSigned(state, signers))
    throw refuse("signers-few", `${signers.root} of ${state.root.threshold} root keys signed`);
}
