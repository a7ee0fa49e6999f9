// Bounds that are the relay's own, each with its reason. Sizes are bytes, times are milliseconds; the protocol's are in its own file.
import {
  MAX_CARRIED_CHARS,
  MAX_ENVELOPE_BYTES,
  MAX_HEADER_BYTES,
  MAX_READERS,
  WRAP_BYTES,
} from "../protocol/limits.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// --- Before a login ---

/** A login and a grant, each an envelope, or a genesis; whoever sends more before logging in means harm. */
export const MAX_STRANGER_BYTES = 2 * MAX_ENVELOPE_BYTES + MAX_HEADER_BYTES + 4 * KIB;
/** A passphrase is asked before dialling, so a login follows within a round trip; a slow line takes seconds. */
export const LOGIN_TIMEOUT_MS = 10 * SECOND;
/** Connections of one address at once and each second: an office of devices behind one address comes back after a restart. */
export const ADDRESS_BURST = 2000;
export const ADDRESS_PER_SECOND = 50;
/** What a refused login takes from its address's bucket: guessing is made slower than failing by mistake. */
export const REFUSED_LOGIN_COST = 10;
/** What a question whose pin this is takes from it: a person types one pin, and errs in it. */
export const FIND_TENANT_COST = 5;
/** Requests of a peer that has not logged in: it finds or makes its tenant, and each gives it time for the next. */
export const MAX_STRANGER_REQUESTS = 16;
/** Addresses remembered; each takes about 200 bytes. The one longest unused is forgotten. */
export const MAX_ADDRESSES = 10_000;
/** Connections that have not logged in, all together: each may hold one frame of at most `MAX_STRANGER_BYTES`. */
export const MAX_STRANGERS = 2000;
/** Connections all together; about 30 KiB each when idle. */
export const MAX_CONNECTIONS = 50_000;
/** An HTTP request's head has no body here, and takes one packet. */
export const HTTP_TIMEOUT_MS = 10 * SECOND;
export const MAX_HTTP_HEADER_BYTES = 8 * KIB;

// --- After it ---

/** Messages: a device streams live output in chunks of 64 KiB, at most 160 a second; the rest is for its receipts and results. */
export const MESSAGE_BURST = 1000;
export const MESSAGES_PER_SECOND = 200;
/** A peer over its rate is read more slowly; one that is this many messages over it (in one read of its socket) is ended. */
export const MAX_MESSAGE_DEBT = 4000;
export const BYTE_BURST = 64 * MIB;
export const BYTES_PER_SECOND = 16 * MIB;
/** Unsent bytes from which on a peer is not read, so that it cannot ask faster than it takes answers. */
export const SLOW_PEER_BYTES = MIB;
/** Unsent bytes at which a peer is ended: a full flight of jobs (8 of 1.2 MiB) fits. */
export const MAX_UNSENT_BYTES = 16 * MIB;
/** Live output that a device may send at once, and a second in the long run; below its rates above, so that its receipts need not wait. */
export const LIVE_BURST_BYTES = 32 * MIB;
export const LIVE_BYTES_PER_SECOND = 10 * MIB;
/** A watcher that took nothing for this long holds up the others no more. A device gives up on all of them two seconds later. */
export const LIVE_LAG_MS = 3 * SECOND;
/** Unsent bytes from which on a watcher misses live output, whatever it said that it takes: half of what ends it. */
export const LIVE_MISS_BYTES = 8 * MIB;
/** Clients at once of one tenant's operators. */
export const MAX_OPERATOR_SESSIONS = 1000;
/** Jobs that one client watches at once: forty thousand devices at 256 a job are 160. */
export const MAX_WATCHES = 2000;
/** How long a closing peer has to answer the close before it is cut. */
export const CLOSE_TIMEOUT_MS = 2 * SECOND;

// --- Newcomers ---

/** Newcomers of one tenant at once: more people than an organisation takes on in a day. */
export const MAX_NEWCOMERS = 64;
/** Of them from one address, so that one machine cannot keep everybody else out. */
export const MAX_NEWCOMERS_OF_ADDRESS = 16;
/** Two people find each other on the telephone in ten minutes; whoever waits for longer connects again. */
export const NEWCOMER_SESSION_MS = 30 * MINUTE;
/** What a request, or an entry of the key log, takes from its address's bucket: forty at once, then one a second. */
export const REQUEST_COST = 50;
/** A larger one cannot be carried by an entry of the key log. */
export const MAX_REQUEST_ENVELOPE_BYTES = (MAX_CARRIED_CHARS * 3) / 4;
/** An approval of 4 KiB grows by a third in base64. */
export const MAX_APPROVAL_ENVELOPE_BYTES = 6 * KIB;
/** Open requests for one operator id, which everybody can read in the key log: the newest, so that a person's own comes in again. */
export const MAX_OPERATOR_REQUESTS = 3;
/** An admin who is on holiday comes back. */
export const REQUEST_LIFETIME_MS = 14 * DAY;
/** Approvals offered to one newcomer: more admins than take up one request at once. */
export const MAX_OFFERS = 8;

// --- Jobs on their way ---

/** Jobs sent to a device and not yet taken: enough to hide the round trip, few enough to hold at once. */
export const MAX_IN_FLIGHT = 8;
/** Jobs waiting for one device. */
export const MAX_QUEUED = 1000;
/** How often deliveries that nobody took are looked through for an end date that has passed. */
export const EXPIRY_SWEEP_MS = 5 * SECOND;
export const EXPIRY_BATCH = 500;
/** A note is a refusal's code; 256 of this length fit a header beside their devices. */
export const MAX_NOTE_CHARS = 32;
/** First frames of live streams kept for late watchers, of one device: more jobs than run side by side. */
export const MAX_LIVE_HEADS = 64;
/** The wraps in the first frame of a live stream. */
export const MAX_LIVE_HEAD_BYTES = MAX_READERS * WRAP_BYTES;

// --- What is kept ---

/** Smallest part of a result but for the last, so that a result has at most 8,196 of them. */
export const MIN_RESULT_PART_BYTES = 4 * KIB;
/** Uploads of one device that wait for their receipt. A device sends one at a time; the rest were cut off. */
export const MAX_UPLOADS = 4;
/** An upload without its receipt is dropped: the device sends it again. */
export const UPLOAD_LIFETIME_MS = DAY;
/** A receipt of 16 KiB grows by a third in base64. */
export const MAX_RECEIPT_ENVELOPE_BYTES = 24 * KIB;
/** Receipts of one device for jobs that this relay never had. Another relay's jobs are answered here too. */
export const MAX_FOREIGN_RECEIPTS = 10_000;
/** Devices of one tenant that ask to be taken into the roster; anybody who knows the tenant's id can. */
export const MAX_PENDING_DEVICES = 10_000;
/** A report of 4 KiB grows by a third in base64; 128 of them fit a frame beside their requests. */
export const MAX_REPORT_ENVELOPE_BYTES = 8 * KIB;
/** A colleague who signs second is away for no longer than a job may wait. */
export const MAX_PROPOSAL_LIFETIME_MS = 30 * DAY;
/** Sealed files of one tenant: those of ten thousand jobs in a week, or a thousand with many each. */
export const MAX_BLOBS = 10_000;
/** Of them those that were begun and not completed: clients that upload at once. */
export const MAX_OPEN_BLOBS = 64;
/** A file that no delivery and no proposal needs any more: long enough that a job can be sent again with it, or go on after a weekend. */
export const BLOB_KEPT_MS = 7 * DAY;
/** Jobs, receipts, results, files and proposals of one tenant. */
export const TENANT_QUOTA_BYTES = 20 * GIB;
export const RETENTION_MS = 90 * DAY;
export const PRUNE_INTERVAL_MS = HOUR;
/** Rows deleted in one commit: a job may hold 1 MiB, a result 16 MiB, so that one commit takes some ten milliseconds. */
export const PRUNE_BATCH = 10;
/** Entries of a roster after which its state is stored again, so that loading judges at most as many. */
export const ROSTER_SNAPSHOT_ENTRIES = 500;
/** Devices in one answer: 128 of them take 25 KiB of its header. */
export const DEVICES_PAGE = 128;

// --- Claim codes ---

export const CLAIM_LIFETIME_MS = 7 * DAY;
/** 20 characters are 100 bits: nobody guesses one, so its plain hash can be stored. */
export const CLAIM_CHARS = 20;
export const CLAIM_BYTES = 13;
