// Whose signatures under a proposed job count by the key log as it is, judged as a device will judge them (SPEC 8.2, check 4).
import { pae, type UnverifiedEnvelope, type UnverifiedSignature } from "../../protocol/envelope.ts";
import { type KeyLogState, keyBytes, lastTerm, type Operator } from "../../protocol/key-state.ts";
import { refuse } from "../../protocol/refusal.ts";
import { verifySignature } from "../../protocol/signature.ts";
import { plain } from "../present/escape.ts";
import { obstacleTo } from "./job-signers.ts";

export type Counted = {
  /** Each person once. */
  readonly operators: readonly Operator[];
  /** Theirs: whatever else stood under the statement is left out of what is sent on. */
  readonly signatures: readonly UnverifiedSignature[];
  /** Signatures that fit and do not count, in words. */
  readonly passedOver: readonly string[];
};

/** Throws `signature-bad` where a signature by an active key does not fit: devices would refuse the whole job. */
export function countedSignatures(
  { payloadType, payload, signatures }: UnverifiedEnvelope,
  { state, now }: { readonly state: KeyLogState; readonly now: number },
): Counted {
  const message = pae(payloadType, payload);
  const operators: Operator[] = [];
  const counted: UnverifiedSignature[] = [];
  const passedOver: string[] = [];
  for (const one of signatures) {
    const term = lastTerm(state, one.key);
    const operator = state.operators.find(({ key }) => key === one.key);
    if (term === undefined) continue;
    const fits = verifySignature({ publicKey: keyBytes(term.sig), message, signature: one.signature });
    if (!fits && operator !== undefined) throw refuse("signature-bad", `key ${one.key}`);
    if (!fits) continue;
    const obstacle = operator === undefined ? "key ended" : obstacleTo(state, operator, now);
    if (operator === undefined || obstacle !== undefined) passedOver.push(`${plain(term.name)} (${obstacle})`);
    else {
      operators.push(operator);
      counted.push(one);
    }
  }
  return { operators, signatures: counted, passedOver };
}
