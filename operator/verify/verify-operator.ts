// What jobs, log entries and other statements of operators prove, in words.
import { fromBase64url } from "../../protocol/bytes.ts";
import { readCheckpoint } from "../../protocol/checkpoint.ts";
import { pae, statementId, type UnverifiedEnvelope } from "../../protocol/envelope.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { readGenesis } from "../../protocol/key-event.ts";
import { judgeEvent, judgeGenesis } from "../../protocol/key-log.ts";
import type { KeyLogView } from "../../protocol/key-view.ts";
import { MAX_PAYLOAD_BYTES } from "../../protocol/limits.ts";
import { pinOf } from "../../protocol/pin.ts";
import { refuse } from "../../protocol/refusal.ts";
import { readAccessGrant } from "../../protocol/relay-login.ts";
import { readVerifiedRosterEvent } from "../../protocol/roster.ts";
import { thumbprint, verifySignature } from "../../protocol/signature.ts";
import { parseStrict } from "../../protocol/strict-json.ts";
import { foldNames } from "../present/fold.ts";
import { plain } from "../present/escape.ts";
import { date } from "../present/time.ts";
import { knownSigners, readSignedJob, signerNames } from "../jobs/signed-job.ts";
import { need, type Reading, type Words } from "./verify-known.ts";

export function jobWords({ envelope, known }: Reading): Words {
  const { keyLog, roster } = need(known);
  const { manifest, signers } = readSignedJob(envelope, keyLog.state);
  const names = manifest.targets.map((device) => roster.devices.get(device)?.name ?? device.slice(0, 10));
  return {
    says: [
      `job ${manifest.job}, signed by ${signers.join(", ")} on ${date(manifest.issuedAt)}`,
      `for ${names.length === 1 ? "one device" : `${names.length} devices`}: ${foldNames(names)}`,
      `devices may take it until ${date(manifest.expiresAt)}; it names key log entry ${manifest.keyHead.seq}`,
      `its body is ${manifest.body.size} bytes that hash to ${manifest.body.sha256}`,
    ],
    unchecked: ["the body itself, which is not in the file", ...headWords(keyLog, manifest.keyHead)],
  };
}

export function keyEventWords({ bytes, envelope, known }: Reading): Words {
  const id = statementId(envelope);
  const state = known?.keyLog.state;
  if (isGenesis(envelope)) {
    const { event, state: first } = judgeGenesis(bytes, admitKey);
    const mark = state?.tenant === id ? "this home's organisation" : "an organisation that this home does not know";
    return {
      says: [
        `the first entry of ${first.name}, epoch ${first.epoch}, pin ${pinOf(id)}, by ${first.operators[0]?.name} on ${date(event.time)}`,
        `it is ${mark}`,
      ],
      unchecked: [],
    };
  }
  const { keyLog } = need(known);
  const seq = sequenceOf(envelope);
  if (keyLog.idAt(seq) === id) {
    const names = knownSigners(envelope, keyLog.state).join(", ") || "a recovery or root key";
    return { says: [`entry ${seq} of the key log that this home has pinned, signed by ${names}`], unchecked: [] };
  }
  const { event } = judgeEvent(keyLog.state, bytes, admitKey);
  return { says: [`entry ${event.seq}, ${event.type}: it follows this home's head and would be taken`], unchecked: [] };
}

function isGenesis({ payload }: UnverifiedEnvelope): boolean {
  return parseStrict(payload, MAX_PAYLOAD_BYTES)["type"] === "genesis" && readGenesis(payload).seq === 0;
}

function sequenceOf({ payload }: UnverifiedEnvelope): number {
  const { seq } = parseStrict(payload, MAX_PAYLOAD_BYTES);
  return typeof seq === "number" ? seq : -1;
}

export function rosterEventWords({ envelope, known }: Reading): Words {
  const { keyLog, roster } = need(known);
  const { event } = readVerifiedRosterEvent(envelope, keyLog);
  const isHead = roster.head?.id === statementId(envelope);
  return {
    says: [
      `roster entry ${event.seq}, ${event.type}, signed by ${signerNames(envelope, keyLog.state).join(", ")} on ${date(event.time)}`,
    ],
    unchecked: isHead ? [] : ["its place in the roster: only the newest entry's id is kept here"],
  };
}

export function checkpointWords({ bytes, known }: Reading): Words {
  const { keyLog } = need(known);
  const { checkpoint, operator, place } = readCheckpoint(bytes, keyLog);
  const name = keyLog.state.operators.find((one) => one.operator === operator)?.name ?? operator;
  const ahead = place === "ahead" ? ", which is ahead of what this home knows" : "";
  return {
    says: [`${name} vouched on ${date(checkpoint.time)} for key log entry ${checkpoint.keyHead.seq}${ahead}`],
    unchecked: [],
  };
}

export function accessGrantWords({ bytes, known, now }: Reading): Words {
  const { keyLog } = need(known);
  const { operator, notAfter } = readAccessGrant(bytes, { state: keyLog.state, now });
  const name = keyLog.state.operators.find((one) => one.operator === operator)?.name ?? operator;
  return { says: [`${name} lets a client read and send until ${date(notAfter)}; it cannot sign jobs`], unchecked: [] };
}

export function deploymentWords({ envelope, known }: Reading): Words {
  const { keyLog } = need(known);
  const names = signerNames(envelope, keyLog.state);
  return {
    says: [`a deployment, signed by ${names.join(", ")}`],
    unchecked: ["whether devices take it: that needs the whole package"],
  };
}

/** A login says who signed it; for whom it was good only its relay knows. */
export function loginWords({ envelope }: Reading): Words {
  const { sig, role, relay } = parseStrict(envelope.payload, MAX_PAYLOAD_BYTES);
  const publicKey = typeof sig === "string" ? fromBase64url(sig) : undefined;
  if (publicKey === undefined || typeof relay !== "string") throw refuse("field-invalid", "sig or relay");
  const own = envelope.signatures.find(({ key }) => key === thumbprint(publicKey));
  const message = pae(envelope.payloadType, envelope.payload);
  if (own === undefined || !verifySignature({ publicKey, message, signature: own.signature }))
    throw refuse("signature-bad", "");
  return {
    says: [`a login as ${role === "device" ? "a device" : "an operator"} at ${plain(relay)} by key ${own.key}`],
    unchecked: ["the challenge, which is the relay's"],
  };
}

function headWords({ idAt, state }: KeyLogView, head: { seq: number; id: string }): readonly string[] {
  if (head.seq > state.head.seq) return ["key events that the signer knew and this home does not"];
  if (idAt(head.seq) !== head.id) throw refuse("job-log-fork", `entry ${head.seq} ${head.id}`);
  return [];
}
