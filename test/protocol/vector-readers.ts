// What reads each kind of vector: a name in the vector's file, and the protocol function that it stands for.
import * as v from "valibot";
import { decideBinding } from "../../protocol/binding.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { checkProof, readEnrolment } from "../../protocol/enrolment.ts";
import { readEnvelope, readEnvelopeOf, statementId } from "../../protocol/envelope.ts";
import { readFrame } from "../../protocol/frame.ts";
import { judgeUpdate } from "../../protocol/judge-update.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { judgeEvent, judgeGenesis, judgeLog } from "../../protocol/key-log.ts";
import { checkReveal, readKeyRequest } from "../../protocol/key-request.ts";
import type { KeyLogView } from "../../protocol/key-view.ts";
import { openOutput } from "../../protocol/output.ts";
import { sealingPairOf } from "../../protocol/passphrase.ts";
import { Platform } from "../../protocol/platform.ts";
import { checkReceiptChain, readReceipt } from "../../protocol/receipt.ts";
import { readAccessGrant, readLogin } from "../../protocol/relay-login.ts";
import { readRelease, releaseKeys } from "../../protocol/release.ts";
import { emptyRoster, judgeRosterEvent } from "../../protocol/roster.ts";
import { parseStrict } from "../../protocol/strict-json.ts";
import { readUpdateBody } from "../../protocol/update-body.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { FromDevice, readHeader } from "../../protocol/wire.ts";
import type { Given } from "./given.ts";

/** Each returns for an input that is accepted, and throws the refusal for one that is not. */
export const READERS: Readonly<Record<string, (given: Given) => void>> = {
  envelope: (given) => void readEnvelopeOf("job", given.bytes("envelope")),
  "strict-json": (given) => void parseStrict(given.bytes("json"), given.number("maxBytes")),
  genesis: (given) => void judgeGenesis(given.bytes("entry"), admitKey),
  "key-event": readKeyEvent,
  reveal: (given) => checkReveal(readKeyRequest(given.bytes("request"), admitKey).request, given.bytes("nonce")),
  "roster-event": readRosterEvent,
  job: readJob,
  package: (given) => void readPackage(given.bytes("package"), admitKey),
  binding: readBinding,
  enrolment: (given) => void readEnrolment(given.bytes("request"), admitKey),
  "token-proof": (given) =>
    checkProof({ request: given.bytes("request"), proof: given.bytes("proof") }, given.bytes("tokenSecret")),
  receipt: (given) => void receiptOf(given),
  "receipt-chain": (given) => {
    const before = given.at("before");
    checkReceiptChain({ seq: before.number("seq"), id: before.text("id") }, receiptOf(given).receipt);
  },
  output: (given) => {
    const { receipt } = receiptOf(given);
    const pair = sealingPairOf(given.bytes("sealingKey"));
    openOutput(given.bytes("result"), { receipt, readers: given.texts("readers"), pair });
  },
  login: (given) =>
    void readLogin(given.bytes("login"), {
      challenge: given.text("challenge"),
      relays: given.texts("relays"),
      channel: given.optional("channel"),
    }),
  release: (given) => void readRelease(given.bytes("release"), releaseKeys(given.texts("keys"))),
  update: readUpdate,
  access: (given) =>
    void readAccessGrant(given.bytes("grant"), { state: viewOf(given).state, now: given.number("now") }),
  frame: (given) => void readHeader(FromDevice, readFrame(given.bytes("frame")).header),
};

function readUpdate(given: Given): void {
  judgeUpdate(readUpdateBody(given.bytes("body")), {
    keys: releaseKeys(given.texts("keys")),
    platform: v.parse(Platform, given.text("platform")),
    running: given.text("running"),
  });
}

function viewOf(given: Given): KeyLogView {
  const entries = given.bytesList("keyLog");
  const ids = entries.map((entry) => statementId(readEnvelope(entry)));
  return { state: judgeLog(entries, admitKey), idAt: (seq) => ids[seq] };
}

/** `headAt` stands for as many entries as nobody wants to read: the head's place is taken to be this one. */
function readKeyEvent(given: Given): void {
  const { state } = viewOf(given);
  const head = given.has("headAt") ? { ...state.head, seq: given.number("headAt") } : state.head;
  judgeEvent({ ...state, head }, given.bytes("entry"), admitKey);
}

function readRosterEvent(given: Given): void {
  const keyLog = viewOf(given);
  const roster = emptyRoster(keyLog.state.tenant);
  for (const entry of given.bytesList("roster")) judgeRosterEvent(roster, entry, keyLog);
  judgeRosterEvent(roster, given.bytes("entry"), keyLog);
}

function readJob(given: Given): void {
  const keyLog = viewOf(given);
  const context = { keyLog, device: given.text("device"), class: given.text("class"), now: given.number("now") };
  const verdict = VerifiedJob.judge(given.bytes("envelope"), {
    ...context,
    agentVersion: given.number("agentVersion"),
    heardAt: () => given.number("heardAt"),
    vouches: given.numbers("vouches"),
    claimed: () => given.optional("claimed"),
    asked: true,
  });
  if (verdict.type === "refused") throw verdict.refusal;
  if (verdict.type === "behind") throw new Error("internal error: asked, and behind");
  const pair = sealingPairOf(given.bytes("sealingKey"));
  verdict.job.open({ wrap: given.bytes("wrap"), body: given.bytes("body") }, pair);
}

function readBinding(given: Given): void {
  const bound = given.has("bound") ? given.at("bound") : undefined;
  decideBinding({
    offered: readPackage(given.bytes("package"), admitKey),
    bound: bound && { keyLog: viewOf(bound), deployedAt: bound.number("deployedAt") },
    tombstones: new Set(given.texts("tombstones")),
    consent: { trust: given.optional("trust"), rebind: given.flag("rebind"), confirmed: given.flag("confirmed") },
    now: given.number("now"),
  });
}

function receiptOf(given: Given): ReturnType<typeof readReceipt> {
  return readReceipt(given.bytes("receipt"), { sig: given.text("sig"), tenant: given.text("tenant") });
}
