// Messages that a relay and an operator's client alone have for each other, as one who has not logged in yet has (SPEC 10.2, 10.5); wire.ts says who takes which.
import * as v from "valibot";
import { Bytes, Digest, Id, Seq, Time } from "./fields.ts";
import { MAX_JOB_FILES, MAX_LIVE_CREDITS, MAX_OPEN_REQUESTS, MAX_PAGE, MAX_PROPOSALS, MAX_TARGETS } from "./limits.ts";
import { chars, DeliveryState, LogName, rid } from "./wire-fields.ts";

// --- Operator to relay ---

/** Sealed files that a job brings, each named once: the relay has them, and keeps them for it. */
const blobs = v.exactOptional(v.pipe(v.array(Digest), v.minLength(1), v.maxLength(MAX_JOB_FILES)));

/**
 * Instead of a login, with a claim code of the relay. Part: the genesis entry. `retires` is the tenant that this one takes the
 * place of, among those that its genesis supersedes; the claim code must have been made for that.
 */
export const CreateTenant = v.strictObject({
  type: v.literal("create-tenant"),
  rid,
  claim: chars(64),
  retires: v.exactOptional(Digest),
});
/** Before a login: whose pin is this? */
export const FindTenant = v.strictObject({ type: v.literal("find-tenant"), rid, pin: chars(64) });
/** Part: the entry that follows the head, else `log-fork`. */
export const Append = v.strictObject({ type: v.literal("append"), rid, log: LogName });
/** `of`: a tenant that this one retired here, to see which of its devices have not come over. `only`: of these, those that there are. */
export const ListDevices = v.strictObject({
  type: v.literal("list-devices"),
  rid,
  after: v.exactOptional(Digest),
  of: v.exactOptional(Digest),
  only: v.exactOptional(v.pipe(v.array(Digest), v.minLength(1), v.maxLength(MAX_TARGETS))),
});
export const ReadInventory = v.strictObject({ type: v.literal("read-inventory"), rid, device: Digest });
/** The relay may drop what it keeps of a device that the roster no longer has. */
export const ForgetDevice = v.strictObject({ type: v.literal("forget-device"), rid, device: Digest });
/** The watcher wants progress and receipts, and no live output. */
const Quiet = v.exactOptional(v.literal(true));
/** Parts: envelope, sealed body, wraps for the targets in their order, wraps for the manifest's readers in their order. */
export const Submit = v.strictObject({
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
export const Watch = v.strictObject({
  type: v.literal("watch"),
  rid,
  jobs: v.pipe(v.array(Id), v.maxLength(MAX_PAGE)),
  quiet: Quiet,
});
/** Bytes of sealed chunks of a device that this client takes in all since it began to watch the job. Without an answer. */
export const TakeLive = v.strictObject({
  type: v.literal("take-live"),
  credits: v.pipe(v.array(v.strictObject({ job: Id, device: Digest, upTo: Bytes })), v.maxLength(MAX_LIVE_CREDITS)),
});
export const ListJobs = v.strictObject({ type: v.literal("list-jobs"), rid, before: v.exactOptional(Time) });
export const ReadJob = v.strictObject({ type: v.literal("read-job"), rid, job: Id });
export const ListReceipts = v.strictObject({ type: v.literal("list-receipts"), rid, device: Digest, from: Seq });
/** `seq`: of that receipt; without it of the device's first receipt for the job that has a result. */
export const ReadResult = v.strictObject({
  type: v.literal("read-result"),
  rid,
  job: Id,
  device: Digest,
  offset: Bytes,
  seq: v.exactOptional(Seq),
});
/** A device's receipts for one job that came before the one of this count, the newest first. Answered by `receipts`. */
export const ListAnswers = v.strictObject({
  type: v.literal("list-answers"),
  rid,
  job: Id,
  device: Digest,
  before: v.exactOptional(Seq),
});
/** Part: the checkpoint's envelope. */
export const SendCheckpoint = v.strictObject({ type: v.literal("send-checkpoint"), rid });
/** What of a job has not reached its device, or one of these, is not sent any more. Stops nothing that a device has. */
export const WithdrawJob = v.strictObject({
  type: v.literal("withdraw-job"),
  rid,
  job: Id,
  devices: v.exactOptional(v.pipe(v.array(Digest), v.minLength(1), v.maxLength(MAX_TARGETS))),
});

/** How much of a sealed file the relay has. */
export const StatBlob = v.strictObject({ type: v.literal("stat-blob"), rid, blob: Digest });
/** Part: the bytes that follow what has come; 0 begins anew. */
export const PutBlob = v.strictObject({ type: v.literal("put-blob"), rid, blob: Digest, offset: Bytes, size: Bytes });

// Requests for keys
export const ListRequests = v.strictObject({ type: v.literal("list-requests"), rid });
export const RejectRequest = v.strictObject({ type: v.literal("reject-request"), rid, request: Digest });
/** Part: the key approval, passed on to the newcomer who waits; fails with `newcomer-away` where nobody does. */
export const OfferApproval = v.strictObject({ type: v.literal("offer-approval"), rid, request: Digest });

// Statements that wait for a second signature
/** Parts: an envelope with the signatures so far, then whatever belongs to it. `proposal` is its statement's id. */
export const Propose = v.strictObject({ type: v.literal("propose"), rid, proposal: Digest, expiresAt: Time, blobs });
export const ListProposals = v.strictObject({ type: v.literal("list-proposals"), rid });
export const ReadProposal = v.strictObject({ type: v.literal("read-proposal"), rid, proposal: Digest });
export const DropProposal = v.strictObject({ type: v.literal("drop-proposal"), rid, proposal: Digest });

// --- Relay to operator ---

/** Parts: enrolment requests in the order of `devices`, then the binding reports of those that are `reported`, in that order. */
export const Devices = v.strictObject({
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
export const InventoryAnswer = v.strictObject({ type: v.literal("inventory"), rid });
/** Parts: job envelopes in the order of `jobs`, newest first. */
export const Jobs = v.strictObject({
  type: v.literal("jobs"),
  rid,
  more: v.boolean(),
  jobs: v.pipe(
    v.array(v.strictObject({ job: Id, batch: Id, submittedAt: Time, targets: Seq, answered: Seq })),
    v.maxLength(MAX_PAGE),
  ),
});
/** Parts: envelope, sealed body, wraps for the readers, then the receipts that have come, in the order of `answered` deliveries. */
export const JobAnswer = v.strictObject({
  type: v.literal("job-record"),
  rid,
  submittedAt: Time,
  deliveries: v.pipe(
    v.array(v.strictObject({ device: Digest, state: DeliveryState, note: v.exactOptional(chars(64)) })),
    v.maxLength(MAX_TARGETS),
  ),
});
/** Parts: receipts of a device in the order of their count; for `list-answers` the newest first. */
export const Receipts = v.strictObject({ type: v.literal("receipts"), rid, more: v.boolean() });
/** Part: bytes of the result from `offset` on; `size` is the whole's. */
export const ResultAnswer = v.strictObject({ type: v.literal("result"), rid, size: Bytes });

/** `received` is 0 where there is nothing of it. */
export const BlobStat = v.strictObject({ type: v.literal("blob-stat"), rid, received: Bytes, complete: v.boolean() });
/** Parts: key requests in the order of `requests`; `online`: the requester waits to be called. */
export const Requests = v.strictObject({
  type: v.literal("requests"),
  rid,
  requests: v.pipe(
    v.array(v.strictObject({ request: Digest, filedAt: Time, online: v.boolean() })),
    v.maxLength(MAX_OPEN_REQUESTS),
  ),
});
/** Parts: the envelopes in the order of `proposals`. */
export const Proposals = v.strictObject({
  type: v.literal("proposals"),
  rid,
  proposals: v.pipe(
    v.array(v.strictObject({ proposal: Digest, proposedAt: Time, expiresAt: Time })),
    v.maxLength(MAX_PROPOSALS),
  ),
});
/** Parts: as they were proposed. */
export const ProposalAnswer = v.strictObject({ type: v.literal("proposal-record"), rid });

/** What a newcomer revealed to this connection's approval. */
export const RevealNews = v.strictObject({ type: v.literal("reveal-news"), session: Id, nonce: Digest });
/** Something about requests or proposals has changed. */
export const WaitingNews = v.strictObject({ type: v.literal("waiting-news") });
/** Part: a device's new binding report. */
export const ReportNews = v.strictObject({ type: v.literal("report-news"), device: Digest });

// Pushed for watched jobs.
/** `note` is a device's unsigned word for why it took a job without a receipt. */
export const Progress = v.strictObject({
  type: v.literal("progress"),
  job: Id,
  device: Digest,
  state: DeliveryState,
  note: v.exactOptional(chars(64)),
});
/** Part: as the device sent it. */
export const LiveNews = v.strictObject({ type: v.literal("live-news"), job: Id, device: Digest, index: Seq });
/** Part: the receipt's envelope. */
export const ReceiptNews = v.strictObject({ type: v.literal("receipt-news"), job: Id, device: Digest });
