// Every message between a relay and its peers: the headers of frames, and what their parts are (SPEC 10.3 to 10.5).
// Nothing in a header is believed by a device or an operator's client; envelopes in the parts prove themselves.
import * as v from "valibot";
import { Bytes, Digest, Id, LogPlace, Seq, Time, whole } from "./fields.ts";
import { MAX_JOB_FILES, MAX_LIVE_CREDITS, MAX_OPEN_REQUESTS, MAX_PAGE, MAX_PROPOSALS, MAX_TARGETS } from "./limits.ts";
import { refuse } from "./refusal.ts";
import type { JsonObject } from "./strict-json.ts";

/** Number of a request; the answer carries it back. */
const rid = whole(1, Number.MAX_SAFE_INTEGER);
const LogName = v.picklist(["key", "roster"]);
export type LogName = v.InferOutput<typeof LogName>;
const Chars = (max: number) => v.pipe(v.string(), v.maxLength(max));

/** How far a job has come on its way to one device, as the relay sees it. */
export const DeliveryState = v.picklist(["queued", "sent", "taken", "answered", "expired"]);
export type DeliveryState = v.InferOutput<typeof DeliveryState>;

// --- Relay to anybody ---

/** First frame of a connection. `channel` says whether the relay sees the TLS connection itself. */
const Hello = v.strictObject({
  type: v.literal("hello"),
  version: v.literal(1),
  challenge: Digest,
  channel: v.boolean(),
  time: Time,
});
/** The login was taken. Heads are the relay's; `enrolled` is for devices. */
const Welcome = v.strictObject({
  type: v.literal("welcome"),
  keyHead: v.exactOptional(LogPlace),
  rosterHead: v.exactOptional(LogPlace),
  enrolled: v.exactOptional(v.boolean()),
});
/** A request was carried out and is on the relay's disk. */
const Ok = v.strictObject({ type: v.literal("ok"), rid });
/** A request (with `rid`) or the connection (without, and then it is closed) was refused. `code` is a refusal's or a relay error's. */
const Failed = v.strictObject({
  type: v.literal("failed"),
  rid: v.exactOptional(rid),
  code: Chars(64),
  message: Chars(400),
});
/** Entries of a log from `from` on, as parts; `more` where the page was full. */
const Log = v.strictObject({ type: v.literal("log"), rid, log: LogName, from: Seq, more: v.boolean() });
/** New entries of a log, as parts, pushed: the key log to all, the roster to operators. */
const LogGrew = v.strictObject({ type: v.literal("log-grew"), log: LogName, from: Seq });
/** An operator's newest checkpoint, as a part. */
const CheckpointNews = v.strictObject({ type: v.literal("checkpoint") });

/** From where a device goes on with a result. */
const ResultStat = v.strictObject({ type: v.literal("result-stat"), rid, received: Bytes });
/** Part: bytes of a sealed file from `offset` on; `size` is the whole's. */
const BlobAnswer = v.strictObject({ type: v.literal("blob"), rid, size: Bytes });

// --- Anybody to relay ---

/** Part: the relay-login envelope; for `access` a second one, the access grant. */
const Login = v.strictObject({ type: v.literal("login") });
const ReadLog = v.strictObject({ type: v.literal("read-log"), rid, log: LogName, from: Seq });

// --- Relay to newcomer ---

/** Answers `find-tenant`: the relay's word, which the log behind it proves or not. */
const TenantFound = v.strictObject({ type: v.literal("tenant"), rid, tenant: Digest });
/** Part: a key approval, for the newcomer's open request. */
const ApprovalNews = v.strictObject({ type: v.literal("approval-news") });
/** The newcomer's request is not open any more. By the relay's word: an approved key stands in the log. */
const RequestClosed = v.strictObject({
  type: v.literal("request-closed"),
  request: Digest,
  why: v.picklist(["rejected", "expired"]),
});

// --- Relay to device ---

/** Parts: the job's envelope, this device's wrap, the sealed body. `watched`: somebody waits for live output. */
const JobDelivery = v.strictObject({ type: v.literal("job"), job: Id, watched: v.boolean() });
const Watched = v.strictObject({ type: v.literal("watched"), job: Id });
/** Nobody watches any more. */
const Unwatched = v.strictObject({ type: v.literal("unwatched"), job: Id });
/** Bytes of sealed chunks that the device may have sent since it last sent the wraps. Never fewer than were granted before. */
const LiveCredit = v.strictObject({ type: v.literal("live-credit"), job: Id, upTo: Bytes });
/** Roster entries about this device, as parts, in order. */
const DeviceEntries = v.strictObject({ type: v.literal("device-entries") });

// --- Device to relay ---

/** Part: the enrolment request. `proof` is the token's, base64url. */
const Enrol = v.strictObject({ type: v.literal("enrol"), rid, proof: v.exactOptional(Digest) });
/** The job is in the device's ledger, or was refused without an answer: the relay need not send it again. `refused` proves nothing. */
const Taken = v.strictObject({ type: v.literal("taken"), job: Id, refused: v.exactOptional(Chars(64)) });
/** Part: the wraps for the readers (`index` 0) or a sealed live chunk. Forwarded to watchers, never stored. */
const Live = v.strictObject({ type: v.literal("live"), job: Id, index: Seq });
/** Part: bytes of a result from `offset` on. */
const ResultPart = v.strictObject({ type: v.literal("result-part"), rid, job: Id, offset: Bytes, size: Bytes });
/** Part: the receipt's envelope. Its result, if it has one, was sent before. */
const ReceiptUpload = v.strictObject({
  type: v.literal("receipt"),
  rid,
  job: Id,
  seq: Seq,
  /** `false`: it has none, so that what was begun of one is dropped. */
  result: v.exactOptional(v.boolean()),
});
/** How much of a result of this size has come. */
const StatResult = v.strictObject({ type: v.literal("stat-result"), rid, job: Id, size: Bytes });
/** Part: the binding report's envelope; it takes the place of the one before. */
const ReportUpload = v.strictObject({ type: v.literal("report"), rid });
/** Part: the inventory's envelope. */
const InventoryUpload = v.strictObject({ type: v.literal("inventory"), rid });

/** A sealed file of a job that was sent to this device, from `offset` on. */
const ReadBlob = v.strictObject({ type: v.literal("read-blob"), rid, job: Id, blob: Digest, offset: Bytes });

// --- Operator to relay ---

/** Sealed files that a job brings, each named once: the relay has them, and keeps them for it. */
const blobs = v.exactOptional(v.pipe(v.array(Digest), v.minLength(1), v.maxLength(MAX_JOB_FILES)));

/**
 * Instead of a login, with a claim code of the relay. Part: the genesis entry. `retires` is the tenant that this one takes the
 * place of, among those that its genesis supersedes; the claim code must have been made for that.
 */
const CreateTenant = v.strictObject({
  type: v.literal("create-tenant"),
  rid,
  claim: Chars(64),
  retires: v.exactOptional(Digest),
});
/** Before a login: whose pin is this? */
const FindTenant = v.strictObject({ type: v.literal("find-tenant"), rid, pin: Chars(64) });
/** Part: the entry that follows the head, else `log-fork`. */
const Append = v.strictObject({ type: v.literal("append"), rid, log: LogName });
/** `of`: a tenant that this one retired here, to see which of its devices have not come over. */
const ListDevices = v.strictObject({
  type: v.literal("list-devices"),
  rid,
  after: v.exactOptional(Digest),
  of: v.exactOptional(Digest),
});
const ReadInventory = v.strictObject({ type: v.literal("read-inventory"), rid, device: Digest });
/** The relay may drop what it keeps of a device that the roster no longer has. */
const ForgetDevice = v.strictObject({ type: v.literal("forget-device"), rid, device: Digest });
/** The watcher wants progress and receipts, and no live output. */
const Quiet = v.exactOptional(v.literal(true));
/** Parts: envelope, sealed body, wraps for the targets in their order, wraps for the manifest's readers in their order. */
const Submit = v.strictObject({
  type: v.literal("submit"),
  rid,
  job: Id,
  batch: Id,
  expiresAt: Time,
  targets: v.pipe(v.array(Digest), v.minLength(1), v.maxLength(MAX_TARGETS)),
  watch: v.boolean(),
  quiet: Quiet,
  blobs,
});
const Watch = v.strictObject({
  type: v.literal("watch"),
  rid,
  jobs: v.pipe(v.array(Id), v.maxLength(MAX_PAGE)),
  quiet: Quiet,
});
/** Bytes of sealed chunks of a device that this client takes in all since it began to watch the job. Without an answer. */
const TakeLive = v.strictObject({
  type: v.literal("take-live"),
  credits: v.pipe(v.array(v.strictObject({ job: Id, device: Digest, upTo: Bytes })), v.maxLength(MAX_LIVE_CREDITS)),
});
const ListJobs = v.strictObject({ type: v.literal("list-jobs"), rid, before: v.exactOptional(Time) });
const ReadJob = v.strictObject({ type: v.literal("read-job"), rid, job: Id });
const ListReceipts = v.strictObject({ type: v.literal("list-receipts"), rid, device: Digest, from: Seq });
/** `seq`: of that receipt; without it of the device's first receipt for the job that has a result. */
const ReadResult = v.strictObject({
  type: v.literal("read-result"),
  rid,
  job: Id,
  device: Digest,
  offset: Bytes,
  seq: v.exactOptional(Seq),
});
/** A device's receipts for one job that came before the one of this count, the newest first. Answered by `receipts`. */
const ListAnswers = v.strictObject({
  type: v.literal("list-answers"),
  rid,
  job: Id,
  device: Digest,
  before: v.exactOptional(Seq),
});
/** Part: the checkpoint's envelope. */
const SendCheckpoint = v.strictObject({ type: v.literal("send-checkpoint"), rid });
/** What of a job has not reached its device, or one of these, is not sent any more. Stops nothing that a device has. */
const WithdrawJob = v.strictObject({
  type: v.literal("withdraw-job"),
  rid,
  job: Id,
  devices: v.exactOptional(v.pipe(v.array(Digest), v.minLength(1), v.maxLength(MAX_TARGETS))),
});

/** How much of a sealed file the relay has. */
const StatBlob = v.strictObject({ type: v.literal("stat-blob"), rid, blob: Digest });
/** Part: the bytes that follow what has come; 0 begins anew. */
const PutBlob = v.strictObject({ type: v.literal("put-blob"), rid, blob: Digest, offset: Bytes, size: Bytes });

// Requests for keys
const ListRequests = v.strictObject({ type: v.literal("list-requests"), rid });
const RejectRequest = v.strictObject({ type: v.literal("reject-request"), rid, request: Digest });
/** Part: the key approval, passed on to the newcomer who waits; fails with `newcomer-away` where nobody does. */
const OfferApproval = v.strictObject({ type: v.literal("offer-approval"), rid, request: Digest });

// Statements that wait for a second signature
/** Parts: an envelope with the signatures so far, then whatever belongs to it. `proposal` is its statement's id. */
const Propose = v.strictObject({ type: v.literal("propose"), rid, proposal: Digest, expiresAt: Time, blobs });
const ListProposals = v.strictObject({ type: v.literal("list-proposals"), rid });
const ReadProposal = v.strictObject({ type: v.literal("read-proposal"), rid, proposal: Digest });
const DropProposal = v.strictObject({ type: v.literal("drop-proposal"), rid, proposal: Digest });

// --- Newcomer to relay ---

/** Part: the key request; the key that logged in is the one that it asks for. Again for the same request, it is open again or says why not. */
const FileRequest = v.strictObject({ type: v.literal("file-request"), rid });
const WithdrawRequest = v.strictObject({ type: v.literal("withdraw-request"), rid });
/** The nonce that the request committed to, for the admin of this session. */
const Reveal = v.strictObject({ type: v.literal("reveal"), rid, session: Id, nonce: Digest });

// --- Relay to operator ---

/** Parts: enrolment requests in the order of `devices`, then the binding reports of those that are `reported`, in that order. */
const Devices = v.strictObject({
  type: v.literal("devices"),
  rid,
  more: v.boolean(),
  devices: v.pipe(
    v.array(
      v.strictObject({
        device: Digest,
        online: v.boolean(),
        seenAt: Time,
        proof: v.exactOptional(Digest),
        /** Place of the key log in the device's newest receipt, and that receipt's count: what to read and prove. */
        receipts: Seq,
        reported: v.boolean(),
      }),
    ),
    v.maxLength(MAX_PAGE),
  ),
});
/** Part: the newest inventory, if there is one. */
const InventoryAnswer = v.strictObject({ type: v.literal("inventory"), rid });
/** Parts: job envelopes in the order of `jobs`, newest first. */
const Jobs = v.strictObject({
  type: v.literal("jobs"),
  rid,
  more: v.boolean(),
  jobs: v.pipe(
    v.array(v.strictObject({ job: Id, batch: Id, submittedAt: Time, targets: Seq, answered: Seq })),
    v.maxLength(MAX_PAGE),
  ),
});
/** Parts: envelope, sealed body, wraps for the readers, then the receipts that have come, in the order of `answered` deliveries. */
const JobAnswer = v.strictObject({
  type: v.literal("job-record"),
  rid,
  submittedAt: Time,
  deliveries: v.pipe(
    v.array(v.strictObject({ device: Digest, state: DeliveryState, note: v.exactOptional(Chars(64)) })),
    v.maxLength(MAX_TARGETS),
  ),
});
/** Parts: receipts of a device in the order of their count; for `list-answers` the newest first. */
const Receipts = v.strictObject({ type: v.literal("receipts"), rid, more: v.boolean() });
/** Part: bytes of the result from `offset` on; `size` is the whole's. */
const ResultAnswer = v.strictObject({ type: v.literal("result"), rid, size: Bytes });

/** `received` is 0 where there is nothing of it. */
const BlobStat = v.strictObject({ type: v.literal("blob-stat"), rid, received: Bytes, complete: v.boolean() });
/** Parts: key requests in the order of `requests`; `online`: the requester waits to be called. */
const Requests = v.strictObject({
  type: v.literal("requests"),
  rid,
  requests: v.pipe(
    v.array(v.strictObject({ request: Digest, filedAt: Time, online: v.boolean() })),
    v.maxLength(MAX_OPEN_REQUESTS),
  ),
});
/** Parts: the envelopes in the order of `proposals`. */
const Proposals = v.strictObject({
  type: v.literal("proposals"),
  rid,
  proposals: v.pipe(
    v.array(v.strictObject({ proposal: Digest, proposedAt: Time, expiresAt: Time })),
    v.maxLength(MAX_PROPOSALS),
  ),
});
/** Parts: as they were proposed. */
const ProposalAnswer = v.strictObject({ type: v.literal("proposal-record"), rid });

/** What a newcomer revealed to this connection's approval. */
const RevealNews = v.strictObject({ type: v.literal("reveal-news"), session: Id, nonce: Digest });
/** Something about requests or proposals has changed. */
const WaitingNews = v.strictObject({ type: v.literal("waiting-news") });
/** Part: a device's new binding report. */
const ReportNews = v.strictObject({ type: v.literal("report-news"), device: Digest });

// Pushed for watched jobs.
/** `note` is a device's unsigned word for why it took a job without a receipt. */
const Progress = v.strictObject({
  type: v.literal("progress"),
  job: Id,
  device: Digest,
  state: DeliveryState,
  note: v.exactOptional(Chars(64)),
});
/** Part: as the device sent it. */
const LiveNews = v.strictObject({ type: v.literal("live-news"), job: Id, device: Digest, index: Seq });
/** Part: the receipt's envelope. */
const ReceiptNews = v.strictObject({ type: v.literal("receipt-news"), job: Id, device: Digest });

/** What a relay takes before a login, and from each role after it. */
export const FromStranger = v.variant("type", [Login, CreateTenant, FindTenant]);
export const FromNewcomer = v.variant("type", [ReadLog, Append, FileRequest, WithdrawRequest, Reveal]);
export const FromDevice = v.variant("type", [
  ReadLog,
  Enrol,
  Taken,
  Live,
  ResultPart,
  ReceiptUpload,
  ReportUpload,
  InventoryUpload,
  ReadBlob,
  StatResult,
]);
export const FromOperator = v.variant("type", [
  ReadLog,
  Append,
  ListDevices,
  ReadInventory,
  ForgetDevice,
  Submit,
  Watch,
  TakeLive,
  ListJobs,
  ReadJob,
  ListReceipts,
  ReadResult,
  ListAnswers,
  SendCheckpoint,
  WithdrawJob,
  StatBlob,
  PutBlob,
  ListRequests,
  RejectRequest,
  OfferApproval,
  Propose,
  ListProposals,
  ReadProposal,
  DropProposal,
]);
/** What a device and an operator's client take from a relay. */
export const ToDevice = v.variant("type", [
  Hello,
  Welcome,
  Ok,
  Failed,
  Log,
  LogGrew,
  CheckpointNews,
  JobDelivery,
  Watched,
  Unwatched,
  LiveCredit,
  DeviceEntries,
  BlobAnswer,
  ResultStat,
]);
export const ToOperator = v.variant("type", [
  Hello,
  Welcome,
  Ok,
  Failed,
  Log,
  LogGrew,
  CheckpointNews,
  Devices,
  InventoryAnswer,
  Jobs,
  JobAnswer,
  Receipts,
  ResultAnswer,
  BlobStat,
  Progress,
  LiveNews,
  ReceiptNews,
  TenantFound,
  ApprovalNews,
  RequestClosed,
  Requests,
  Proposals,
  ProposalAnswer,
  RevealNews,
  WaitingNews,
  ReportNews,
]);

export type FromStranger = Readonly<v.InferOutput<typeof FromStranger>>;
export type FromNewcomer = Readonly<v.InferOutput<typeof FromNewcomer>>;
export type FromDevice = Readonly<v.InferOutput<typeof FromDevice>>;
export type FromOperator = Readonly<v.InferOutput<typeof FromOperator>>;
export type ToDevice = Readonly<v.InferOutput<typeof ToDevice>>;
export type ToOperator = Readonly<v.InferOutput<typeof ToOperator>>;

/** A header by the union of those that may come here. Throws `frame-form`. */
export function readHeader<const S extends v.GenericSchema>(schema: S, header: JsonObject): v.InferOutput<S> {
  const parsed = v.safeParse(schema, header, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const type = typeof header["type"] === "string" ? header["type"].slice(0, 40) : "no type";
  throw refuse("frame-form", `${type}: ${v.getDotPath(parsed.issues[0]) ?? "not expected here"}`);
}
