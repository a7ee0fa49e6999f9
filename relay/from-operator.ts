// What an operator's client asks and sends after its login, by its own key or by an access key (SPEC 10.5).
import { readCheckpoint } from "../protocol/checkpoint.ts";
import type { Frame } from "../protocol/frame.ts";
import { refuse } from "../protocol/refusal.ts";
import { FromOperator, readHeader } from "../protocol/wire.ts";
import { answering, partOf } from "./answer.ts";
import { append } from "./append.ts";
import { putBlob, statBlob } from "./blobs.ts";
import { answerDevices, answerInventory, forgetDevice } from "./devices.ts";
import { answerAnswers, answerJob, answerJobs, answerReceipts, answerResult } from "./jobs.ts";
import { answerRequests, rejectRequest } from "./key-requests.ts";
import { takeLive } from "./live.ts";
import { answerLog, sendCheckpoints } from "./logs.ts";
import { offerApproval } from "./offers.ts";
import type { OperatorSession } from "./operator-session.ts";
import { answerProposal, answerProposals, dropProposal, propose } from "./proposals.ts";
import type { Relay } from "./relay.ts";
import { submit } from "./submit.ts";
import { watchJobs } from "./watch.ts";
import { withdrawJob } from "./withdraw.ts";

/** Takes over a connection whose key has been proved. */
export function serveOperator(relay: Relay, session: OperatorSession): void {
  const { connection, tenant } = session;
  tenant.hub.operators.add(session);
  relay.metrics.opened("operator");
  connection.onClose(() => {
    tenant.hub.forget(session);
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
      return append(relay, session, { rid: header.rid, log: header.log, bytes: partOf(frame) });
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
    case "take-live":
      return takeLive(relay, session, header);
    case "list-jobs":
      return answerJobs(relay, session, header);
    case "read-job":
      return answerJob(relay, session, header);
    case "list-receipts":
      return answerReceipts(relay, session, header);
    case "read-result":
      return answerResult(relay, session, header);
    case "list-answers":
      return answerAnswers(relay, session, header);
    case "send-checkpoint":
      return takeCheckpoint(relay, session, { rid: header.rid, bytes: partOf(frame) });
    case "withdraw-job":
      return withdrawJob(relay, session, header);
    case "stat-blob":
      return statBlob(relay, session, header);
    case "put-blob":
      return putBlob(relay, session, { header, bytes: partOf(frame) });
    case "list-requests":
      return answerRequests(relay, session, header);
    case "reject-request":
      return rejectRequest(relay, session, header);
    case "offer-approval":
      return offerApproval(relay, session, { header, bytes: partOf(frame) });
    case "propose":
      return propose(relay, session, { header, parts: frame.parts });
    case "list-proposals":
      return answerProposals(relay, session, header);
    case "read-proposal":
      return answerProposal(relay, session, header);
    case "drop-proposal":
      return dropProposal(relay, session, header);
    default:
      throw new Error(`internal error: nobody takes ${JSON.stringify(header satisfies never)}`);
  }
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
