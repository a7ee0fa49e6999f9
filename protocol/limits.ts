// Every bound of the protocol, each with its reason. Sizes are bytes, times are milliseconds.

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;

// --- Envelopes and strict JSON (SPEC 2) ---

/** A manifest of 64 KiB grows by a third in base64; the rest is room for eight signatures. */
export const MAX_ENVELOPE_BYTES = 128 * KIB;
/** Two persons, a new key, its recovery key and root keys sign one event at most; more is an attempt to make us work. */
export const MAX_SIGNATURES = 8;
/** A statement's payload, where its kind names no smaller bound. 256 targets take 12 KiB. */
export const MAX_PAYLOAD_BYTES = 64 * KIB;
/** Our deepest statement has four levels. */
export const MAX_JSON_DEPTH = 8;
export const MAX_JSON_KEYS = 64;
/** More than any list in a statement, so that the list's own bound is what speaks. */
export const MAX_JSON_ITEMS = 4096;

// --- Key log, roster, checkpoint (SPEC 4, 5) ---

export const MAX_EVENT_BYTES = 16 * KIB;
/** Fifty operators with four events a year for fifty years. */
export const MAX_KEY_EVENTS = 10_000;
/** The last places are for taking power away only, so that a full log can still revoke and close. */
export const RESERVED_KEY_EVENTS = 100;
/** An admission of a thousand devices a day for two years. */
export const MAX_ROSTER_EVENTS = 1_000_000;
/** Sealing a result to more readers than this would cost a device more than the job. */
export const MAX_OPERATORS = 64;
export const MAX_ROOT_KEYS = 5;
export const MAX_THRESHOLD = 5;
export const MAX_THRESHOLD_ROWS = 32;
export const MAX_SUPERSEDED = 64;
/** Evidence kept of entries that claim an occupied place; one proves the fault, eight show who does it. Revocations among
 * them are kept beyond that, one for each active key: nobody can fill the list to keep a revocation out. */
export const MAX_FORKS = 8;
/** A key must be renewed, or it dies with the person who forgot it. */
export const MAX_KEY_LIFETIME_MS = 400 * DAY;
export const DEFAULT_KEY_LIFETIME_MS = 180 * DAY;
export const MAX_GROUP_CHANGE = 256;
/** A request for a key takes 700 bytes, an approval 400. */
export const MAX_REQUEST_BYTES = 4 * KIB;
/** A request's envelope with two signatures takes 1,500 bytes, 2,000 characters. */
export const MAX_CARRIED_CHARS = 8 * KIB;
/** 100 bits: nobody makes a second request with the same. */
export const LONG_CODE_CHARS = 20;
/** The six digits are good this long: two people find each other on the telephone. */
export const MAX_APPROVAL_MS = 600 * SECOND;
/** Short codes typed wrong that a roster shows; ten within a month are the most that counts. */
export const MAX_MISMATCHES = 32;
export const MAX_NAME_CHARS = 64;
export const MAX_REASON_CHARS = 256;
export const MAX_RECOVERY_DELAY_MS = 30 * DAY;

// --- Jobs (SPEC 8) ---

export const MAX_TARGETS = 256;
export const MAX_READERS = 32;
export const MAX_JOB_LIFETIME_MS = 30 * DAY;
export const DEFAULT_JOB_LIFETIME_MS = DAY;
/** A signer's clock may be this far ahead of the device's; more is a wrong clock or a job made for later. */
export const MAX_CLOCK_AHEAD_MS = 600 * SECOND;
export const DEFAULT_FRESHNESS_MS = 14 * DAY;
export const MAX_FRESHNESS_MS = 90 * DAY;
/** Scripts are far smaller; larger content travels as a file. */
export const MAX_BODY_BYTES = MIB;
export const MAX_ARGUMENTS = 256;
export const MAX_ARGUMENT_CHARS = 32 * KIB;
export const MAX_ENVIRONMENT = 256;
export const MAX_PATH_CHARS = 4096;
export const MAX_JOB_TIME_MS = 7 * DAY;
export const DEFAULT_JOB_TIME_MS = HOUR;
/** As many as Linux' process ids unless its administrator raised them. */
export const MAX_JOB_PROCESSES = 32_768;
/** A shell and a small tool; less would only end jobs at their start. */
export const MIN_JOB_MEMORY_BYTES = 16 * MIB;
export const MAX_OUTPUT_BYTES = 16 * MIB;
export const DEFAULT_OUTPUT_BYTES = MIB;
/** A sealed result: both streams at their longest, 8 KiB of tags, a salt, and a wrap for each of 32 readers. */
export const MAX_RESULT_BYTES = 2 * MAX_OUTPUT_BYTES + 16 * KIB;
/** A job that comes round more often than this is a daemon, and belongs to the system's own service manager. */
export const MIN_EVERY_MS = 60 * SECOND;
/** Once an hour for forty days; each occurrence costs its devices a receipt. */
export const MAX_OCCURRENCES = 1000;
/** Jobs that run side by side on a device. */
export const DEFAULT_RUNNING_JOBS = 4;
/** Each holds the kept output of both its streams in memory. */
export const MAX_RUNNING_JOBS = 64;
/** Unfinished and unexpired jobs that a device remembers; above it new ones are refused, so that memory of old ones is kept. */
export const MAX_LEDGER_JOBS = 10_000;
/** Of these, kept for cancels: a full ledger must still be able to end what runs. */
export const RESERVED_LEDGER_JOBS = 100;
/** Jobs that one cancel names: it ends with as many receipts at once, each signed in the same transaction. */
export const MAX_CANCELLED_JOBS = 64;

// --- Releases (SPEC 8.10) ---

/** Packages, programs and updates of five platforms are 22. */
export const MAX_RELEASE_FILES = 64;
/** Their names, hashes and sizes: 64 of 200 bytes. */
export const MAX_RELEASE_BYTES = 16 * KIB;
/** An envelope of it with eight signatures takes 24 KiB, in base64url 32 Ki characters. */
export const MAX_RELEASE_CHARS = 40 * KIB;
/** An installer with everything in it. */
export const MAX_RELEASE_FILE_BYTES = 1024 * MIB;
/** Files of the agent's program on a device: Node, two bundles, what belongs to a platform, sums and licences are six. */
export const MAX_UPDATE_FILES = 32;
/** Unpacked: Node is 150 MiB and grows. */
export const MAX_UPDATE_BYTES = 512 * MIB;

// --- Sealing (SPEC 7) ---

/** Plaintext of one chunk of a sealed stream, as in age: small enough to hold, large enough that tags cost nothing. */
export const CHUNK_BYTES = 64 * KIB;
/** A file that a job brings, or that is fetched: an installer, a log. Larger ones have better carriers. */
export const MAX_FILE_BYTES = 100 * MIB;
/** Files of one job: what a script has beside it. More go as an archive. */
export const MAX_JOB_FILES = 16;
/** All files of one job: two of the largest and what belongs to them; a device needs twice as much room. */
export const MAX_JOB_FILES_BYTES = 256 * MIB;
/** A sealed file at its longest: a tag for each of its 1,600 chunks. */
export const MAX_BLOB_BYTES = MAX_FILE_BYTES + 1600 * 16;
/** A fetched file as a result: wraps for 32 readers, and 1,601 chunks of salt and content. */
export const MAX_FETCHED_BYTES = 32 * 80 + 32 + MAX_FILE_BYTES + 1601 * 16;
/** 32 bytes of encapsulated key and a 32-byte content key with its tag. */
export const WRAP_BYTES = 80;

// --- Receipts, inventory, deployment, enrolment (SPEC 6, 9) ---

export const MAX_RECEIPT_BYTES = 16 * KIB;
export const MAX_INVENTORY_BYTES = 64 * KIB;
/** A report with a refused package takes 700 bytes. */
export const MAX_REPORT_BYTES = 4 * KIB;
export const MAX_INVENTORY_ITEMS = 64;
/** A key log of ten thousand entries that each carry a request, in base64 inside a package. */
export const MAX_PACKAGE_BYTES = 64 * MIB;
export const MAX_KEY_LOG_BYTES = 48 * MIB;
export const MAX_RELAYS = 8;
export const MAX_RELAY_URL_CHARS = 512;
/** What one is put into when it is admitted; into others later. */
export const MAX_ADMITTED_GROUPS = 8;
export const MAX_DEPLOYMENT_LIFETIME_MS = 400 * DAY;
export const DEFAULT_DEPLOYMENT_LIFETIME_MS = 90 * DAY;
export const MAX_TOKEN_USES = 1_000_000;
export const DEFAULT_TOKEN_LIFETIME_MS = 30 * DAY;
export const MAX_ACCESS_LIFETIME_MS = 400 * DAY;

// --- The wire (SPEC 10) ---

/** A frame's header is routing only; envelopes and blobs are its parts. The longest is that of a job with 256 deliveries. */
export const MAX_HEADER_BYTES = 64 * KIB;
/** The largest frame is a submitted job: envelope, body of 1 MiB with its tags, wraps. */
export const MAX_FRAME_BYTES = 2 * MIB;
/** What a device sends in one frame; results go in parts of this size. */
export const MAX_DEVICE_FRAME_BYTES = 512 * KIB;
export const MAX_PARTS = 512;
/** Part of a result in one frame. */
export const RESULT_PART_BYTES = 256 * KIB;
/** Part of a sealed file in one frame: four sealed chunks. */
export const BLOB_PART_BYTES = 4 * (64 * KIB + 16);
/** Proposals and requests for keys of one tenant that a relay keeps: what people can look through. */
export const MAX_OPEN_REQUESTS = 64;
export const MAX_PROPOSALS = 64;
/** Envelopes in one answer. */
export const PAGE_BYTES = 512 * KIB;
export const MAX_PAGE = 200;
/** A first line and a screenful after it, before any credit has come: 256 devices at once put 4 MiB on a client's line. */
export const LIVE_FIRST_BYTES = 16_384;
/** Credits in one message: as many as a job has targets. */
export const MAX_LIVE_CREDITS = 256;
/** Silence after which a peer is taken for dead; pings come three times as often. */
export const SILENCE_MS = 60 * SECOND;
