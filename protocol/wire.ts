// Every message between a relay and its peers: the headers of frames, and what their parts are (SPEC 10.3 to 10.5). Those of devices
// and of operators alone are in wire-device.ts and wire-operator.ts; here are the others, and who takes which.
// Nothing in a header is believed by a device or an operator's client; envelopes in the parts prove themselves.
import * as v from "valibot";
import { Digest, Id, LogPlace, Seq, Time } from "./fields.ts";
import { refuse } from "./refusal.ts";
import type { JsonObject } from "./strict-json.ts";
import {
  BlobAnswer,
  DeviceEntries,
  Enrol,
  InventoryUpload,
  JobDelivery,
  Live,
  LiveCredit,
  ReadBlob,
  ReceiptUpload,
  ReportUpload,
  ResultPart,
  ResultStat,
  StatResult,
  Taken,
  Unwatched,
  Watched,
} from "./wire-device.ts";
import { chars, LogName, rid } from "./wire-fields.ts";
import {
  Append,
  BlobStat,
  CreateTenant,
  Devices,
  DropProposal,
  FindTenant,
  ForgetDevice,
  InventoryAnswer,
  JobAnswer,
  Jobs,
  ListAnswers,
  ListDevices,
  ListJobs,
  ListProposals,
  ListReceipts,
  ListRequests,
  LiveNews,
  OfferApproval,
  Progress,
  ProposalAnswer,
  Proposals,
  Propose,
  PutBlob,
  ReadInventory,
  ReadJob,
  ReadProposal,
  ReadResult,
  ReceiptNews,
  Receipts,
  RejectRequest,
  ReportNews,
  Requests,
  ResultAnswer,
  RevealNews,
  SendCheckpoint,
  StatBlob,
  Submit,
  TakeLive,
  WaitingNews,
  Watch,
  WithdrawJob,
} from "./wire-operator.ts";

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
  code: chars(64),
  message: chars(400),
});
/** Entries of a log from `from` on, as parts; `more` where the page was full. */
const Log = v.strictObject({ type: v.literal("log"), rid, log: LogName, from: Seq, more: v.boolean() });
/** New entries of a log, as parts, pushed: the key log to all, the roster to operators. */
const LogGrew = v.strictObject({ type: v.literal("log-grew"), log: LogName, from: Seq });
/** An operator's newest checkpoint, as a part. */
const CheckpointNews = v.strictObject({ type: v.literal("checkpoint") });

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

// --- Newcomer to relay ---

/** Part: the key request; the key that logged in is the one that it asks for. Again for the same request, it is open again or says why not. */
const FileRequest = v.strictObject({ type: v.literal("file-request"), rid });
const WithdrawRequest = v.strictObject({ type: v.literal("withdraw-request"), rid });
/** The nonce that the request committed to, for the admin of this session. */
const Reveal = v.strictObject({ type: v.literal("reveal"), rid, session: Id, nonce: Digest });

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
