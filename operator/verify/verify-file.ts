// Any signed statement or deployment package, checked offline against what this home knows, and said in words.
import { text } from "../../protocol/bytes.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { pinOf } from "../../protocol/pin.ts";
import { refuse } from "../../protocol/refusal.ts";
import { Fault } from "../fault.ts";
import { date } from "../present/time.ts";
import { releaseStatementWords } from "./verify-release.ts";
import { enrolmentWords, inventoryWords, receiptWords } from "./verify-device.ts";
import { bindingReportWords, keyApprovalWords, keyRequestWords } from "./verify-key.ts";
import type { Known, Reading, Verified, Words } from "./verify-known.ts";
import {
  accessGrantWords,
  checkpointWords,
  deploymentWords,
  jobWords,
  keyEventWords,
  loginWords,
  rosterEventWords,
} from "./verify-operator.ts";

/** Throws the refusal or fault for which a file does not verify. */
export function verifyBytes(bytes: Uint8Array, { known, now }: { known: Known | undefined; now: number }): Verified {
  if (isPackage(bytes)) return verifyPackage(bytes, { known, now });
  if (!isEnvelope(bytes)) throw new Fault("file-other", `${bytes.length} bytes`);
  const envelope = readEnvelope(bytes);
  const kind = /^application\/vnd\.keybound\.(.+)\.v1\+json$/.exec(envelope.payloadType)?.[1] ?? envelope.payloadType;
  return { kind, id: statementId(envelope), ...wordsFor(kind)({ bytes, envelope, known, now }) };
}

function wordsFor(kind: string): (reading: Reading) => Words {
  switch (kind) {
    case "receipt":
      return receiptWords;
    case "job":
      return jobWords;
    case "key-event":
      return keyEventWords;
    case "roster-event":
      return rosterEventWords;
    case "checkpoint":
      return checkpointWords;
    case "enrolment-request":
      return enrolmentWords;
    case "key-request":
      return keyRequestWords;
    case "key-approval":
      return keyApprovalWords;
    case "binding-report":
      return bindingReportWords;
    case "inventory":
      return inventoryWords;
    case "access-grant":
      return accessGrantWords;
    case "deployment":
      return deploymentWords;
    case "relay-login":
      return loginWords;
    case "release":
      return releaseStatementWords;
    default:
      throw refuse("envelope-type", kind);
  }
}

// --- Files ---

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(text(bytes) ?? "") as unknown;
  } catch {
    // The one documented failure of JSON.parse: a SyntaxError.
    return undefined;
  }
}

function isPackage(bytes: Uint8Array): boolean {
  const value = json(bytes);
  return typeof value === "object" && value !== null && "keybound" in value && value.keybound === "deployment-package";
}

function isEnvelope(bytes: Uint8Array): boolean {
  const value = json(bytes);
  return typeof value === "object" && value !== null && "payloadType" in value;
}

function verifyPackage(bytes: Uint8Array, { known, now }: { known: Known | undefined; now: number }): Verified {
  const { deployment, id, signers, state, entries } = readPackage(bytes, admitKey);
  const names = signers.map((signer) => state.operators.find(({ operator }) => operator === signer)?.name ?? signer);
  const isOwn = known?.keyLog.state.tenant === state.tenant;
  const shared = Math.min(state.head.seq, known?.keyLog.state.head.seq ?? 0);
  if (isOwn && known.keyLog.idAt(shared) !== entries[shared]?.id) throw refuse("log-fork", `entry ${shared}`);
  const ended =
    deployment.notAfter <= now
      ? `; it ENDED on ${date(deployment.notAfter)}`
      : `; good until ${date(deployment.notAfter)}`;
  return {
    kind: "deployment package",
    id,
    says: [
      `a deployment package of ${state.name}, epoch ${state.epoch}, pin ${pinOf(state.tenant)}`,
      `signed by ${names.join(", ")} on ${date(deployment.issuedAt)}${ended}`,
      `devices of class ${deployment.class}${deployment.groups.length === 0 ? "" : `, groups ${deployment.groups.join(", ")}`} dial ${deployment.relays.join(", ")}`,
      isOwn ? "its key log is the one that this home has pinned" : `its key log is whole to entry ${state.head.seq}`,
    ],
    unchecked: isOwn ? [] : ["whether the pin is the one that you expect: compare it"],
  };
}
