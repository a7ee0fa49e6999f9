// What a device asks and sends after its login (SPEC 10.4).
import { readEnrolment } from "../protocol/enrolment.ts";
import { type Kind, pae, readEnvelopeOf } from "../protocol/envelope.ts";
import type { Frame } from "../protocol/frame.ts";
import { admitKey } from "../protocol/key-admission.ts";
import { keyBytes } from "../protocol/key-state.ts";
import { MAX_DEVICE_FRAME_BYTES, MAX_ENVELOPE_BYTES } from "../protocol/limits.ts";
import { refuse } from "../protocol/refusal.ts";
import { verifySignature } from "../protocol/signature.ts";
import { FromDevice, readHeader } from "../protocol/wire.ts";
import { answering, partOf, storingIfPossible } from "./answer.ts";
import { answerBlob } from "./blobs.ts";
import { dispatch, tellProgress } from "./deliver.ts";
import type { DeviceSession } from "./device-session.ts";
import { MAX_FOREIGN_RECEIPTS, MAX_NOTE_CHARS, MAX_PENDING_DEVICES, MAX_RECEIPT_ENVELOPE_BYTES } from "./limits.ts";
import { forwardLive } from "./live.ts";
import { answerLog, sendAboutDevice, sendCheckpoints } from "./logs.ts";
import type { Relay } from "./relay.ts";
import { storeReport } from "./reports.ts";
import { checkQuota, statResult, storePart, uploadFor } from "./results.ts";
import { Trouble } from "./trouble.ts";

type From<T extends FromDevice["type"]> = Extract<FromDevice, { type: T }>;

/** Takes over a connection whose key has been proved, in place of an earlier one of the same device. */
export function serveDevice(relay: Relay, session: DeviceSession): void {
  const { connection, tenant, device } = session;
  tenant.hub.devices.get(device)?.connection.cut();
  tenant.hub.devices.set(device, session);
  relay.metrics.opened("device");
  connection.onClose(() => leave(relay, session));
  connection.onFrame((frame) => answering(relay, connection, frame, () => act(relay, session, frame)));
  const { head } = tenant.state;
  const rosterHead = tenant.roster.head;
  connection.send({
    type: "welcome",
    keyHead: { ...head },
    ...(rosterHead === undefined ? {} : { rosterHead: { ...rosterHead } }),
    enrolled: session.enrolled,
  });
  if (session.enrolled) begin(relay, session);
}

/** What an enrolled device gets at once: what it missed, and the jobs that wait. */
function begin(relay: Relay, session: DeviceSession): void {
  noteSeen(relay, session);
  storingIfPossible(relay, session.connection, () => relay.store.receipts.dropUploads(session.key));
  sendAboutDevice(relay, session);
  sendCheckpoints(relay, session.connection, session.tenant);
  for (const job of session.tenant.hub.streams.jobsOf(session.device)) {
    if (session.tenant.hub.isWatched(job)) session.connection.send({ type: "watched", job });
  }
  dispatch(relay, session);
}

function leave(relay: Relay, session: DeviceSession): void {
  const { devices } = session.tenant.hub;
  if (devices.get(session.device) === session) devices.delete(session.device);
  relay.metrics.closed("device");
  if (session.enrolled) noteSeen(relay, session);
}

function noteSeen(relay: Relay, session: DeviceSession): void {
  storingIfPossible(relay, session.connection, () => relay.store.devices.setSeen(session.key, relay.now()));
}

function act(relay: Relay, session: DeviceSession, frame: Frame): void {
  const bytes = frame.parts.reduce((sum, part) => sum + part.length, 0);
  if (bytes > MAX_DEVICE_FRAME_BYTES) throw refuse("frame-form", `${bytes} bytes, at most ${MAX_DEVICE_FRAME_BYTES}`);
  const header = readHeader(FromDevice, frame.header);
  relay.metrics.frame(header.type);
  if (header.type === "read-log") {
    if (header.log === "roster") throw refuse("signer-role", "a device does not read the roster");
    return answerLog(relay, session, header);
  }
  if (header.type === "enrol") return enrol(relay, session, { header, request: partOf(frame) });
  if (!session.enrolled) throw new Trouble("device-unknown", "enrol first");
  switch (header.type) {
    case "taken":
      return take(relay, session, header);
    case "live":
      return forwardLive(relay, session, { header, bytes: partOf(frame) });
    case "result-part":
      storePart(relay, session, { header, bytes: partOf(frame) });
      return session.connection.send({ type: "ok", rid: header.rid });
    case "receipt":
      return storeReceipt(relay, session, { header, bytes: partOf(frame) });
    case "report":
      return storeReport(relay, session, { rid: header.rid, bytes: partOf(frame) });
    case "stat-result":
      return statResult(relay, session, header);
    case "read-blob":
      return answerBlob(relay, session, header);
    case "inventory":
      return storeInventory(relay, session, { header, bytes: partOf(frame) });
    default:
      throw new Error(`internal error: nobody takes ${JSON.stringify(header satisfies never)}`);
  }
}

function enrol(
  relay: Relay,
  session: DeviceSession,
  { header, request }: { header: From<"enrol">; request: Uint8Array },
): void {
  const { tenant, device } = session;
  const { request: asked } = readEnrolment(request, admitKey);
  if (asked.tenant !== tenant.id) throw refuse("tenant-other", `tenant ${asked.tenant}`);
  if (asked.device !== device) throw refuse("device-other", `device ${asked.device}`);
  const inRoster = tenant.roster.devices.has(device);
  const { devices } = relay.store;
  if (!session.enrolled) relay.tenants.checkNotReset(tenant);
  if (!inRoster && !session.enrolled && devices.countPending(tenant.n) >= MAX_PENDING_DEVICES) {
    throw new Trouble("quota", `${MAX_PENDING_DEVICES} devices wait to be admitted`);
  }
  devices.enrol({ ...session.key, sig: asked.sig, request, proof: header.proof, inRoster, now: relay.now() });
  relay.log.info({ tenant: tenant.id, device }, "device enrolled");
  session.connection.send({ type: "ok", rid: header.rid });
  if (session.enrolled) return;
  session.enrolled = true;
  begin(relay, session);
}

function take(relay: Relay, session: DeviceSession, { job, refused }: From<"taken">): void {
  const note = refused?.toWellFormed().slice(0, MAX_NOTE_CHARS).toWellFormed();
  const isNews = relay.store.jobs.take({ ...session.key, job, note });
  if (isNews) tellProgress(session.tenant, { job, device: session.device, state: "taken", note });
  session.settle(job);
  dispatch(relay, session);
}

/**
 * Keeps a receipt as the device's key signed it. What it says is for operators to judge: a newer device's outcomes pass
 * through an older relay.
 */
function storeReceipt(
  relay: Relay,
  session: DeviceSession,
  { header, bytes }: { header: From<"receipt">; bytes: Uint8Array },
): void {
  const { job, seq, rid, result } = header;
  const { device, tenant, key, connection } = session;
  if (bytes.length > MAX_RECEIPT_ENVELOPE_BYTES) {
    throw refuse("envelope-size", `${bytes.length} bytes, at most ${MAX_RECEIPT_ENVELOPE_BYTES}`);
  }
  const stored = relay.store.receipts.find(key, seq);
  if (stored !== undefined) {
    if (Buffer.compare(stored, bytes) !== 0) throw refuse("receipt-chain", `another receipt ${seq} is stored`);
    relay.store.receipts.dropUpload({ ...key, job });
    return connection.send({ type: "ok", rid });
  }
  checkSigned(session, "receipt", bytes);
  if (result === false) relay.store.receipts.dropUpload({ ...key, job });
  checkRoom(relay, session, { job, bytes });
  relay.store.receipts.add({ ...key, job, seq, bytes, now: relay.now() }, uploadFor(relay, session, job));
  connection.send({ type: "ok", rid });
  tenant.hub.streams.drop(device, job);
  for (const watcher of tenant.hub.watchersOf(job))
    watcher.connection.send({ type: "receipt-news", job, device }, [bytes]);
  tellProgress(tenant, { job, device, state: "answered", note: undefined });
  session.settle(job);
  dispatch(relay, session);
}

function checkRoom(relay: Relay, session: DeviceSession, { job, bytes }: { job: string; bytes: Uint8Array }): void {
  checkQuota(relay, session.tenant, bytes.length);
  if (session.isTarget(job) || relay.store.receipts.countForeign(session.key) < MAX_FOREIGN_RECEIPTS) return;
  throw new Trouble("quota", `${MAX_FOREIGN_RECEIPTS} receipts for jobs that are not known here`);
}

function storeInventory(
  relay: Relay,
  session: DeviceSession,
  { header, bytes }: { header: From<"inventory">; bytes: Uint8Array },
): void {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw refuse("envelope-size", `${bytes.length} bytes`);
  checkSigned(session, "inventory", bytes);
  relay.store.devices.saveInventory(session.key, bytes);
  session.connection.send({ type: "ok", rid: header.rid });
}

/** Throws unless the device's key signed a statement of this kind. */
function checkSigned({ device, sig }: DeviceSession, kind: Kind, bytes: Uint8Array): void {
  const envelope = readEnvelopeOf(kind, bytes);
  const own = envelope.signatures.find(({ key }) => key === device);
  if (own === undefined) throw refuse("signer-unknown", `not signed by device ${device}`);
  const message = pae(envelope.payloadType, envelope.payload);
  if (!verifySignature({ publicKey: keyBytes(sig), message, signature: own.signature })) {
    throw refuse("signature-bad", `device ${device}`);
  }
}
