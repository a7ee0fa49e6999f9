// What an entry of the key log does, in words, for somebody who is to sign it. Names are of the log; what is new is shown whole.
import { fromBase64url } from "../../protocol/bytes.ts";
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import { longCode } from "../../protocol/key-approval.ts";
import type { LaterEvent, NewKey } from "../../protocol/key-event.ts";
import { checkCarriedRequest, type KeyRequest } from "../../protocol/key-request.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { refuse } from "../../protocol/refusal.ts";
import { differenceWords, isWeakening, policyDiff } from "../policy/policy-diff.ts";
import { policyTraps } from "../policy/policy-traps.ts";
import { plain } from "../present/escape.ts";
import { date } from "../present/time.ts";

type Place = { readonly state: KeyLogState; readonly now: number };

/** The first line is the whole in short. Throws `log-request-other` where a key is approved by a request for another. */
export function keyEventLines(event: LaterEvent, place: Place): readonly string[] {
  const { state } = place;
  switch (event.type) {
    case "operator.add":
      return [`makes ${plain(event.key.name)} ${roleWords(event.key.role)}`, ...keyLines(event, "add")];
    case "operator.replace":
      return [
        `gives ${nameOf(state, event.key.operator)} another key, as ${roleWords(roleOf(state, event.key))}; the one before ends`,
        ...keyLines(event, "replace"),
      ];
    case "operator.role":
      return [`makes ${nameOf(state, event.operator)} ${roleWords(event.role)}`];
    case "operator.revoke":
      return [
        `revokes the key of ${nameOf(state, event.operator)}: ${plain(event.reason)}`,
        event.jobs === "cancel"
          ? "jobs of theirs that wait on devices are dropped"
          : "jobs of theirs that wait are kept",
      ];
    case "policy.set":
      return policyLines(event.policy, place);
    case "tenant.close":
      return [`CLOSES the organisation for good: no job is taken any more: ${plain(event.reason)}`];
    case "operator.change":
    case "operator.recover":
    case "operator.recovery":
    case "root.set":
      return [event.type];
    default:
      throw new Error(`internal error: no words for ${JSON.stringify(event satisfies never)}`);
  }
}

type Bringing = Extract<LaterEvent, { type: "operator.add" | "operator.replace" }>;

function keyLines({ tenant, key, request }: Bringing, purpose: KeyRequest["purpose"]): readonly string[] {
  const lines = [
    `the key is good until ${date(key.notAfter)}${key.recovery === undefined ? ", and has no recovery file" : ""}`,
    ...(key.mode === "passphrase" ? ["it is derived from a passphrase alone"] : []),
  ];
  if (request === undefined) return [...lines, "the new key signed this itself: there is no code to compare"];
  checkCarriedRequest(request, { tenant, key, purpose });
  return [...lines, `ask ${plain(key.name)} for the code of their request: it must be ${codeOf(request)}`];
}

/** The code of the request that an entry carries, which its maker keeps. */
function codeOf(request: string): string {
  const bytes = fromBase64url(request);
  if (bytes === undefined) throw refuse("field-invalid", "request: unpadded base64url");
  return longCode(statementId(readEnvelope(bytes)));
}

function policyLines(after: KeyLogState["policy"], { state, now }: Place): readonly string[] {
  const differences = policyDiff({ before: state.policy, after });
  const weakens = isWeakening(differences);
  return [
    `sets the policy${weakens ? ", and WEAKENS it" : ""}`,
    ...differences.map(differenceWords),
    ...policyTraps(after, { state, now }).map(({ rule, says }) => `note: ${rule}: ${says}`),
  ];
}

function nameOf({ operators }: KeyLogState, id: string): string {
  return plain(operators.find(({ operator }) => operator === id)?.name ?? `operator ${id}`);
}

/** A role stays when a key is replaced. */
function roleOf({ operators }: KeyLogState, key: NewKey): NewKey["role"] {
  return operators.find(({ operator }) => operator === key.operator)?.role ?? key.role;
}

function roleWords(role: NewKey["role"]): string {
  return { admin: "an admin", operator: "an operator", auditor: "an auditor" }[role];
}
