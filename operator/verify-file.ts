// Any signed statement or deployment package, checked offline against what this home knows, and said in words.
import { fromBase64url, text } from "../protocol/bytes.ts";
import { readCheckpoint } from "../protocol/checkpoint.ts";
import { readPackage } from "../protocol/deployment.ts";
import { readEnrolment } from "../protocol/enrolment.ts";
import { pae, readEnvelope, statementId, type UnverifiedEnvelope } from "../protocol/envelope.ts";
import { readInventory } from "../protocol/inventory.ts";
import { admitKey } from "../protocol/key-admission.ts";
import { readGenesis } from "../protocol/key-event.ts";
import { judgeEvent, judgeGenesis } from "../protocol/key-log.ts";
import type { KeyLogView } from "../protocol/key-view.ts";
import { outcomeWords } from "../protocol/outcome.ts";
import { pinOf } from "../protocol/pin.ts";
import { readReceipt } from "../protocol/receipt.ts";
import { refuse } from "../protocol/refusal.ts";
import { readAccessGrant } from "../protocol/relay-login.ts";
import { readVerifiedRosterEvent, type Roster, type RosterDevice } from "../protocol/roster.ts";
import { thumbprint, verifySignature } from "../protocol/signature.ts";
import { parseStrict } from "../protocol/strict-json.ts";
import { MAX_PAYLOAD_BYTES } from "../protocol/limits.ts";
import { Fault } from "./fault.ts";
import { foldNames } from "./present/fold.ts";
import { plain } from "./present/escape.ts";
import { date } from "./present/time.ts";
import { readSignedJob, signerNames } from "./signed-job.ts";

/** What a home knows: pinned logs, judged before. */
export type Known = {
  readonly keyLog: KeyLogView;
  readonly roster: Roster;
  /** Id of a device's receipt at this place of the chain that was verified here. */
  readonly receiptId: (device: string, seq: number) => string | undefined;
};

export type Verified = {
  readonly kind: string;
  readonly id: string;
  /** Each a sentence about what the statement proves. */
  readonly says: readonly string[];
  /** Each a sentence about what could not be checked here. */
  readonly unchecked: readonly string[];
};

type Reading = {
  readonly bytes: Uint8Array;
  readonly envelope: UnverifiedEnvelope;
  readonly known: Known | undefined;
  readonly now: number;
};
type Words = Pick<Verified, "says" | "unchecked">;

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
    case "inventory":
      return inventoryWords;
    case "access-grant":
      return accessGrantWords;
    case "deployment":
      return deploymentWords;
    case "relay-login":
      return loginWords;
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

// --- Statements of devices ---

function receiptWords({ bytes, envelope, known }: Reading): Words {
  const { keyLog, device, receiptId } = memberWho(envelope, known);
  const { receipt, id } = readReceipt(bytes, { sig: device.sig, tenant: keyLog.state.tenant });
  const seen = receiptId(device.device, receipt.seq);
  if (seen !== undefined && seen !== id)
    throw refuse("receipt-chain", `receipt ${receipt.seq} of ${device.name} was ${seen} before`);
  const output = receipt.output.map(
    ({ stream, size, sha256 }) => `${size} bytes on ${stream}, of which those kept hash to ${sha256}`,
  );
  return {
    says: [
      `receipt ${receipt.seq} of ${device.name}, signed by its key ${device.device}`,
      `job ${receipt.job}, statement ${receipt.statement}: ${outcomeWords(receipt.outcome)}, ended ${date(receipt.finishedAt)}`,
      ...output,
      containedWords(receipt.contained),
      `${device.name} knew the key log to entry ${receipt.keyHead.seq}`,
    ],
    unchecked: [
      ...(seen === undefined ? ["its place in the device's chain: this home has not verified the chain so far"] : []),
      ...(receipt.output.length === 0 ? [] : ["the output itself, which is not in the file"]),
    ],
  };
}

function containedWords(contained: "yes" | "no" | "unknown"): string {
  if (contained === "yes") return "the whole process tree of the job was seen to end";
  return contained === "no" ? "processes of the job were still alive" : "whether all its processes ended is not known";
}

/** The device of the roster that signed, by the key ids of the envelope. */
function memberWho(
  { signatures }: UnverifiedEnvelope,
  known: Known | undefined,
): Known & { readonly device: RosterDevice } {
  const home = need(known);
  const device = signatures.map(({ key }) => home.roster.devices.get(key)).find((one) => one !== undefined);
  if (device === undefined) throw refuse("roster-device-unknown", `device ${signatures[0]?.key ?? ""}`);
  return { ...home, device };
}

function inventoryWords({ bytes, envelope, known }: Reading): Words {
  const { keyLog, device } = memberWho(envelope, known);
  const { host, os, time } = readInventory(bytes, { sig: device.sig, tenant: keyLog.state.tenant });
  return {
    says: [`inventory of ${device.name} as of ${date(time)}: ${plain(host)}, ${plain(os.name)} ${plain(os.version)}`],
    unchecked: [],
  };
}

function enrolmentWords({ bytes, known }: Reading): Words {
  const { request } = readEnrolment(bytes, admitKey);
  const member = known?.roster.devices.get(request.device);
  const isOwn = known?.keyLog.state.tenant === request.tenant;
  return {
    says: [
      `device ${request.device} asks to join the tenant with pin ${pinOf(request.tenant)}`,
      `it says that it is ${plain(request.host)}, ${request.platform} ${plain(request.release)}, as of ${date(request.time)}`,
      member === undefined ? "it is not in this home's roster" : `it was admitted as ${member.name}`,
    ],
    unchecked: [
      ...(isOwn ? [] : ["the tenant, which is not this home's"]),
      "the proof of its token, which is not in the file",
    ],
  };
}

// --- Statements of operators ---

function jobWords({ envelope, known }: Reading): Words {
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

function keyEventWords({ bytes, envelope, known }: Reading): Words {
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
  if (keyLog.idAt(seq) === id)
    return { says: [`entry ${seq} of the key log that this home has pinned`], unchecked: [] };
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

function rosterEventWords({ envelope, known }: Reading): Words {
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

function checkpointWords({ bytes, known }: Reading): Words {
  const { keyLog } = need(known);
  const { checkpoint, operator, place } = readCheckpoint(bytes, keyLog);
  const name = keyLog.state.operators.find((one) => one.operator === operator)?.name ?? operator;
  const ahead = place === "ahead" ? ", which is ahead of what this home knows" : "";
  return {
    says: [`${name} vouched on ${date(checkpoint.time)} for key log entry ${checkpoint.keyHead.seq}${ahead}`],
    unchecked: [],
  };
}

function accessGrantWords({ bytes, known, now }: Reading): Words {
  const { keyLog } = need(known);
  const { operator, notAfter } = readAccessGrant(bytes, { state: keyLog.state, now });
  const name = keyLog.state.operators.find((one) => one.operator === operator)?.name ?? operator;
  return { says: [`${name} lets a client read and send until ${date(notAfter)}; it cannot sign jobs`], unchecked: [] };
}

function deploymentWords({ envelope, known }: Reading): Words {
  const { keyLog } = need(known);
  const names = signerNames(envelope, keyLog.state);
  return {
    says: [`a deployment, signed by ${names.join(", ")}`],
    unchecked: ["whether devices take it: that needs the whole package"],
  };
}

/** A login says who signed it; for whom it was good only its relay knows. */
function loginWords({ envelope }: Reading): Words {
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

function need(known: Known | undefined): Known {
  if (known === undefined) throw new Fault("verify-unknown", "there is no home with a key log");
  return known;
}
