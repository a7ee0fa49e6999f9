// What a newcomer asks and sends after its login: to read the key log, to recover a key, to ask for one and to reveal its nonce to
// an admin (SPEC 4.8, 10).
import type { Frame } from "../protocol/frame.ts";
import { refuse } from "../protocol/refusal.ts";
import { FromNewcomer, readHeader } from "../protocol/wire.ts";
import { answering, partOf } from "./answer.ts";
import { append } from "./append.ts";
import { fileRequest, withdrawRequest } from "./key-requests.ts";
import { MAX_REQUEST_ENVELOPE_BYTES, REQUEST_COST } from "./limits.ts";
import { answerLog } from "./logs.ts";
import type { NewcomerSession } from "./newcomer-session.ts";
import { reveal } from "./offers.ts";
import type { Relay } from "./relay.ts";
import { Trouble } from "./trouble.ts";

/** Takes over a connection whose key has been proved, in place of an earlier one of the same key. */
export function serveNewcomer(relay: Relay, session: NewcomerSession): void {
  const { connection, tenant, key } = session;
  const { newcomers } = tenant.hub;
  newcomers.get(key)?.connection.cut();
  newcomers.set(key, session);
  relay.metrics.opened("newcomer");
  connection.onClose(() => {
    if (newcomers.get(key) === session) newcomers.delete(key);
    relay.metrics.closed("newcomer");
  });
  connection.onFrame((frame) => {
    checkTime(relay, session);
    answering(relay, connection, frame, () => act(relay, session, frame));
  });
  connection.send({ type: "welcome", keyHead: { ...tenant.state.head } });
}

/** Throws `session-over` once the connection has lasted as long as it may. */
export function checkTime({ now }: Relay, { endsAt }: NewcomerSession): void {
  if (endsAt <= now()) throw new Trouble("session-over");
}

function act(relay: Relay, session: NewcomerSession, frame: Frame): void {
  const bytes = frame.parts.reduce((sum, part) => sum + part.length, 0);
  if (bytes > MAX_REQUEST_ENVELOPE_BYTES) {
    throw refuse("envelope-size", `${bytes} bytes, at most ${MAX_REQUEST_ENVELOPE_BYTES}`);
  }
  const header = readHeader(FromNewcomer, frame.header);
  relay.metrics.frame(header.type);
  switch (header.type) {
    case "read-log":
      if (header.log === "roster") throw refuse("signer-role", "a newcomer does not read the roster");
      return answerLog(relay, session, header);
    case "append":
      return appendKeyEvent(relay, session, { header, bytes: partOf(frame) });
    case "file-request":
      return fileRequest(relay, session, { rid: header.rid, bytes: partOf(frame) });
    case "withdraw-request":
      return withdrawRequest(relay, session, header);
    case "reveal":
      return reveal(session, header);
    default:
      throw new Error(`internal error: nobody takes ${JSON.stringify(header satisfies never)}`);
  }
}

/** An entry that proves itself, such as that of a person who recovers a key. */
function appendKeyEvent(
  relay: Relay,
  session: NewcomerSession,
  { header: { rid, log }, bytes }: { header: Extract<FromNewcomer, { type: "append" }>; bytes: Uint8Array },
): void {
  if (log === "roster") throw refuse("signer-role", "a newcomer does not change the roster");
  relay.diallers.charge(session.connection.address, REQUEST_COST);
  append(relay, session, { rid, log, bytes });
}
