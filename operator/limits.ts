// The operator's client's own bounds, each with its reason; the protocol's are in protocol/limits.ts. Sizes are bytes, times milliseconds.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** A dial, with TLS and login, that takes longer is given up. */
export const CONNECT_TIMEOUT_MS = 15 * SECOND;
/** What a system says of its proxy: four kilobytes and some milliseconds, where it is well. */
export const SYSTEM_ANSWER_MS = 5 * SECOND;
export const MAX_SYSTEM_ANSWER_BYTES = 64 * 1024;
/** An answer that takes longer means a relay that hangs; a result's part of 256 KiB over a slow line takes seconds. */
export const ANSWER_TIMEOUT_MS = 60 * SECOND;
/** A relay's clock and ours may differ by this much before a job's time window would be wrong on devices. */
export const MAX_CLOCK_DIFFERENCE_MS = 10 * MINUTE;
/** How long another command of ours may hold the home folder: it syncs, signs and submits in a second or two. */
export const HOME_WAIT_MS = 5 * SECOND;
/** Access of this client lives this long, */
export const ACCESS_LIFETIME_MS = 90 * DAY;
/** and is renewed by the passphrase when less than this is left. */
export const ACCESS_RENEW_MS = 30 * DAY;
/** How long before its end a signature key is spoken of at each unlocking. */
export const KEY_END_WARNING_MS = 30 * DAY;
/** Two people who append at once: the second signs again, and a third time; more is somebody who plays with us. */
export const MAX_APPEND_TRIES = 4;
/** A key event that waits for colleagues: they look in within a week, and any other entry makes it void anyway. */
export const PROPOSAL_LIFETIME_MS = 7 * DAY;
/** How often one request may be called up: each time is one guess in a million for whoever stands between. */
export const MAX_REQUEST_SESSIONS = 3;
/** After that a person waits this long before they ask again. */
export const REQUEST_REST_MS = 60 * MINUTE;
/** Wrong digits within a month after which only long codes are taken. */
export const MAX_MISMATCHES_A_MONTH = 10;
export const MISMATCH_MEMORY_MS = 30 * DAY;
/** A proposed job that ends sooner may not reach its devices: whoever signs it second is told. */
export const COSIGN_HURRY_MS = 10 * MINUTE;
/** How often a client that waits for a co-signature asks, besides at each push that something changed. */
export const COSIGN_POLL_MS = 30 * SECOND;
/** A copy of an organisation with a hundred thousand devices takes 25 MiB. */
export const MAX_COPY_BYTES = 64 * 1024 * 1024;
/** What is remembered of a hundred thousand devices of a predecessor, and of a few before it. */
export const MAX_PREDECESSOR_BYTES = 64 * 1024 * 1024;
/** A device that is online fetches a key event and reports it within a second or two; a slow line, or a busy one, takes some more. */
export const HEARD_WAIT_MS = 10 * SECOND;
/** Nothing new for this long: whoever has not said by now that they heard is not about to. Reports are a second apart. */
export const HEARD_QUIET_MS = 4 * SECOND;
/** Groups of devices that one line names; the rest is counted. */
export const MAX_NAMED_GROUPS = 8;
/** How long before jobs would stop for want of a colleague's word it is said: time to find the colleague. */
export const VOUCH_WARNING_MS = 3 * DAY;
/** A recovery file takes 1.5 KiB. */
export const MAX_RECOVERY_FILE_BYTES = 64 * 1024;
/** Wrong or weak passphrases at a prompt before a command gives up. */
export const MAX_PROMPT_TRIES = 3;
/** A passphrase in a file or from a descriptor; longer is another file. */
export const MAX_PASSPHRASE_BYTES = 4096;
/** Requests on their way to the relay at one time where there are many devices. */
export const MAX_REQUESTS_AT_ONCE = 16;
/** Entries of a log in one sync: the key log's bound, and a roster page after page; a relay that sends more is lying. */
export const MAX_SYNC_PAGES = 20_000;
/** Devices that a listing takes from a relay. */
export const MAX_LISTED_DEVICES = 100_000;
/** Jobs that a search by prefix goes through. */
export const MAX_SEARCHED_JOBS = 5_000;
/** Live output of one device that may be on its way to us: what a line of 10 MiB a second holds in a tenth of a second. */
export const LIVE_WINDOW_BYTES = 1024 * 1024;
/** And of all devices together. */
export const LIVE_WINDOWS_BYTES = 4 * 1024 * 1024;
/** Credits are gathered for this long: many devices stream at once. */
export const LIVE_TELL_MS = 5;
/** Output that nobody has read yet: twice what was asked for is a relay that sends more, and is left out. */
export const MAX_UNREAD_BYTES = 8 * 1024 * 1024;
/** Cuts of the line without any progress after which a transfer is given up, */
export const MAX_TRANSFER_TRIES = 6;
/** and the wait after the first, doubled each time: a relay that is started anew is back within half a minute. */
export const TRANSFER_RETRY_MS = 1 * SECOND;
/** Receipts of one device that `job show` lists of a job that comes round; the relay's page has 200. */
export const MAX_SHOWN_OCCURRENCES = 20;
/** Rows of the live table that a terminal shows; the rest is counted in one line. */
export const MAX_LIVE_ROWS = 20;
/** The live table is drawn at most this often. */
export const DRAW_EVERY_MS = 100;
/** Input for a job's stdin: base64url inside a body of 1 MiB. */
export const MAX_STDIN_BYTES = 700 * 1024;
/** Devices that may be put into one group at once, a signed entry for each 256. */
export const MAX_GROUP_DEVICES = 100_000;
/** An answer to `verify`: the largest file that is ours is a package. */
export const MAX_VERIFY_BYTES = 64 * 1024 * 1024;
/** Uses of a package's token unless said. */
export const DEFAULT_TOKEN_USES = 100;
/** A request to the key holder: a statement's payload in base64url, and a few words. Larger is not a client of ours. */
export const MAX_HOLDER_LINE_BYTES = 192 * 1024;
/** Connections to the key holder at one time: a few commands at once, each with one request on its way. */
export const MAX_HOLDER_CONNECTIONS = 32;
/** A request and its answer are on one machine and take milliseconds; who takes longer is hung up on. */
export const HOLDER_PATIENCE_MS = 5 * SECOND;
/** How long a new key holder waits for the one before, which was told to end and does so at once. */
export const HOLDER_TURN_MS = 2 * SECOND;
/** A start of the program, on a machine that is busy. */
export const HOLDER_START_MS = 20 * SECOND;
/** How often the key holder looks at the clocks and whether its user is still there, */
export const HOLDER_TICK_MS = 5 * SECOND;
/** and how much either clock may have moved since it looked before; more means that the machine slept. */
export const HOLDER_SLEPT_MS = 30 * SECOND;
/** How long a key may stay unlocked when it is asked for once a day, */
export const DAY_UNLOCKED_MS = DAY;
/** and once a week. */
export const WEEK_UNLOCKED_MS = 7 * DAY;
/** A socket's path in the address of a Unix socket: 104 bytes with its end on macOS, 108 on Linux. */
export const MAX_SOCKET_PATH_BYTES = 103;
/** A script of the library: half of a job's body, so that its parameters and an environment have room beside it. */
export const MAX_SCRIPT_BYTES = 512 * 1024;
/** A library that people can look through in a list. */
export const MAX_LIBRARY_SCRIPTS = 1_000;
/** Entries of a folder that is read as a library: its scripts, and what else a repository has at its top. */
export const MAX_LIBRARY_ENTRIES = 4_000;
/** A script in the library's own file: each character of it can take six in JSON. */
export const MAX_LIBRARY_FILE_BYTES = 6 * MAX_SCRIPT_BYTES + 64 * 1024;
/** Lines of a script's header: its settings, its parameters, and as many again. */
export const MAX_HEADER_LINES = 64;
export const MAX_HEADER_LINE_CHARS = 2_000;
/** Parameters of one script: a form that somebody can fill in. */
export const MAX_PARAMETERS = 32;
/** A parameter's value; longer text is standard input or a file. */
export const MAX_PARAMETER_CHARS = 4_096;
/** Words of one choice. */
export const MAX_CHOICES = 64;
/** Pieces of a pattern, each looked for once along the value. */
export const MAX_PATTERN_PIECES = 64;
/** Before an unanswered job is run again, connected devices have this long to answer its cancel: ending a tree takes seven seconds. */
export const CANCEL_WAIT_MS = 15_000;
/** An installer is 40 to 60 MiB, most of it Node; ten times that is something else. */
export const MAX_INSTALLER_BYTES = 512 * 1024 * 1024;
/** A release has some forty files; a folder with more than this is not one. */
export const MAX_RELEASE_FILES = 1_000;
/** A line of SHA256SUMS is about a hundred bytes. */
export const MAX_SUMS_BYTES = 256 * 1024;
/** Devices to be redeployed that are named; the rest is counted. */
export const MAX_NAMED_REDEPLOYS = 20;
