// What an operator's client asks and sends after its login, by its own key or by an access key (SPEC 10.5).
import { readCheckpoint } from "../protocol/checkpoint.ts";
import type { Frame } from "../protocol/frame.ts";
import { refuse } from "../protocol/refusal.ts";
import { FromOperator, readHeader } from "../protocol/wire.ts";
import { answering, partOf } from "./answer.ts";
import { answerDevices, answerInventory, forgetDevice } from "./devices.ts";
import { answerJob, answerJobs, answerReceipts, answerResult } from "./jobs.ts";
import { answerLog, sendCheckpoints } from "./logs.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { submit } from "./submit.ts";
import { watchJobs } from "./watch.ts";

/** Takes over a connection whose key has been proved. */
export function serveOperator(relay: Relay, session: OperatorSession): void {
  const { connection, tenant } = session;
  tenant.hub.operators.add(session);
  relay.metrics.opened("operator");
  connection.onClose(() => {
    tenant.hub.operators.delete(session);
    tenant.hub.unwatch(session.watched, session);
    relay.metrics.closed("operator");
  });
  connection.onFrame((frame) => {
    checkAccess(relay, session);
    answering(relay, connection, frame, () => act(relay, session, frame));
  });
  const rosterHead = tenant.roster.head;
  connection.send({
    type: "welcome",
    keyHead: { ...tenant.state.head },
    ...(rosterHead === undefined ? {} : { rosterHead: { ...rosterHead } }),
  });
  sendCheckpoints(relay, connection, tenant);
}

/** Throws `access-expired` once a client's access has ended. */
export function checkAccess({ now }: Relay, { endsAt }: OperatorSession): void {
  if (endsAt !== undefined && endsAt <= now()) throw refuse("access-expired", `ended at ${endsAt}`);
}

function act(relay: Relay, session: OperatorSession, frame: Frame): void {
  const header = readHeader(FromOperator, frame.header);
  relay.metrics.frame(header.type);
  switch (header.type) {
    case "read-log":
      return answerLog(relay, session, header);
    case "append":
      return append(relay, session, { header, bytes: partOf(frame) });
    case "list-devices":
      return answerDevices(relay, session, header);
    case "read-inventory":
      return answerInventory(relay, session, header);
    case "forget-device":
      return forgetDevice(relay, session, header);
    case "submit":
      return submit(relay, session, { header, parts: frame.parts });
    case "watch":
      return watchJobs(relay, session, header);
    case "list-jobs":
      return answerJobs(relay, session, header);
    case "read-job":
      return answerJob(relay, session, header);
    case "list-receipts":
      return answerReceipts(relay, session, header);
    case "read-result":
      return answerResult(relay, session, header);
    case "send-checkpoint":
      return takeCheckpoint(relay, session, { rid: header.rid, bytes: partOf(frame) });
    default:
      throw new Error(`internal error: nobody takes ${JSON.stringify(header satisfies never)}`);
  }
}

/** Compare-and-append: the entry is judged on our head, stored, confirmed, and then told to whoever it concerns. */
function append(
  relay: Relay,
  { connection, tenant }: OperatorSession,
  { header: { rid, log }, bytes }: { header: Extract<FromOperator, { type: "append" }>; bytes: Uint8Array },
): void {
  const appended = tenant.append(log, bytes, relay.now());
  connection.send({ type: "ok", rid });
  if (appended.type === "known") return;
  relay.log.info({ tenant: tenant.id, log, seq: appended.seq }, "log grew");
  tenant.hub.announceEntry(log, { seq: appended.seq, bytes });
  if (log === "key") return tenant.hub.endRevoked(tenant.state);
  const device = appended.device === undefined ? undefined : tenant.hub.devices.get(appended.device);
  device?.connection.send({ type: "device-entries" }, [bytes]);
  if (appended.removed) device?.connection.end(refuse("login-unknown", "the device was removed"));
}

function takeCheckpoint(
  relay: Relay,
  { connection, tenant }: OperatorSession,
  { rid, bytes }: { rid: number; bytes: Uint8Array },
): void {
  const { checkpoint, operator } = readCheckpoint(bytes, tenant.view);
  const isNews = relay.store.logs.saveCheckpoint({ n: tenant.n, operator, time: checkpoint.time, bytes });
  connection.send({ type: "ok", rid });
  if (isNews) tenant.hub.announceCheckpoint(bytes);
}
