// The agent's own bounds, each with its reason; the protocol's are in protocol/limits.ts. Sizes are bytes, times milliseconds.

/** After SIGTERM a job has this long to tidy up before SIGKILL. */
export const END_GRACE_MS = 5_000;
/** After SIGKILL the kernel needs moments; longer means a process that cannot be ended. */
export const KILL_WAIT_MS = 2_000;
/** How long a leader's exit waits for its pipes to close before what holds them is ended. */
export const PIPE_WAIT_MS = 250;
/** Finding out who a user is may take a directory service this long; a job then is refused rather than kept waiting. */
export const LOOKUP_TIME_MS = 5_000;
/** What a program of the system may answer: a line of passwd(5), properties of a session, a version, or thousands of group ids. */
export const MAX_ANSWER_BYTES = 64 * 1024;
/** Groups of one user that can be handed on: they stand on one command line of 16 KiB. */
export const MAX_USER_GROUPS = 1_024;
/** macOS' NGROUPS_MAX: chroot(8) refuses more, and most administrators are in more. */
export const MAX_MAC_GROUPS = 16;
/** macOS numbers people from 501 on; what is below is the system's own, such as the Setup Assistant's user. */
export const FIRST_MAC_UID = 501;
/** Sessions of one device in which one job runs: a terminal server's, one after the other. */
export const MAX_SESSIONS = 64;
/** An interpreter that is asked for its version; PowerShell takes a second to start. */
export const VERSION_TIME_MS = 2_000;
/** A job that has ended waits this long for its interpreter's version, if it is the first one of it. */
export const VERSION_WAIT_MS = 100;
/** Versions remembered; a device has eight interpreters, and updates of them. */
export const MAX_KNOWN_VERSIONS = 64;
/** On macOS a running job's processes are looked for this often, so that those are known that lose their parent later. */
export const WALK_EVERY_MS = 2_000;
/** A list of processes that takes longer is not waited for. */
export const WALK_TIMEOUT_MS = 5_000;
/** Twenty thousand processes of eighty bytes. */
export const MAX_PROCESS_LIST_BYTES = 1_600_000;
/** Making a folder private on Windows sets the list of each file in it, of which there are few. */
export const FOLDER_TIME_MS = 30_000;
/** A report of the Windows launcher is a word and a number of ten digits. */
export const MAX_LAUNCHER_LINE_CHARS = 64;
/** Frames that wait while the key log is fetched: a login brings a checkpoint of each operator and eight jobs. */
export const MAX_PENDING_FRAMES = 128;
/** And their bytes: eight jobs of the largest size and what comes with them. */
export const MAX_PENDING_BYTES = 24 * 1024 * 1024;
/** The public status file is written at most once in this time. */
export const STATUS_EVERY_MS = 500;
/** A relay that had no room for a receipt is offered it again after this. */
export const UPLOAD_RETRY_MS = 60_000;
/** Reconnecting: the first wait is up to this, doubled each time up to the cap, each drawn at random from the whole span. */
export const BACKOFF_FIRST_MS = 500;
export const BACKOFF_CAP_MS = 60_000;
/** A connection that lasted this long was a good one; shorter ones count as failures, so that nobody dials in a circle. */
export const SETTLED_MS = 10_000;
/** A relay that turned this device away is asked again rarely. */
export const BACKOFF_REFUSED_MS = 15 * 60_000;
/** A setting of the network: a few authorities of one's own, as PEM. */
export const MAX_NETWORK_BYTES = 256 * 1024;
/** The doctor: each step towards a relay, and each question to the system. */
export const DOCTOR_STEP_MS = 5_000;
export const ASK_TIME_MS = 5_000;
/** Less than this beside the state is told of: what waits for a relay may take half of it. */
export const DISK_LOW_BYTES = 1024 * 1024 * 1024;
/** A few receipts with output more, and the disk is full. */
export const DISK_FULL_BYTES = 64 * 1024 * 1024;
export const FEW_INODES = 100;
/** Files of the state folder are ten; whoever puts thousands there is told of the first. */
export const MAX_LOOKED_AT_FILES = 100;
/** A relay's certificate that ends sooner should have been renewed by now: most are, a month before. */
export const CERTIFICATE_SOON_MS = 7 * 24 * 3_600_000;
/** The newest entries of the journal in a support bundle: some days of a busy device, in 100 KiB. */
export const BUNDLED_ENTRIES = 500;
/** A dial, with TLS and login, that takes longer is given up. */
export const CONNECT_TIMEOUT_MS = 20_000;
/** An answer that takes longer means a broken relay: the connection is made anew. */
export const ANSWER_TIMEOUT_MS = 60_000;
/** Live output waits in the socket up to here: little enough that another job's receipt is not long behind it. */
export const LIVE_BACKLOG_BYTES = 128 * 1024;
/** Live output that waits to be sent: what two pipes of the largest size hold. More is left out. */
export const LIVE_WAITING_BYTES = 2 * 1024 * 1024;
/** After a live frame, what does not fill one is gathered for this long: 25 frames a second of each stream, of four jobs 200. */
export const LIVE_GATHER_MS = 40;
/** Credit for less than this is waited out: frames of a few bytes cost more than they carry. */
export const LIVE_LEAST_BYTES = 1024;
/** A job is held up this long for watchers who take nothing of its output; then bytes are left out. */
export const LIVE_STALL_MS = 5_000;
/** Watchers who take less than this a second miss some: a job is not slowed down further. A bad telephone line takes as much. */
export const LIVE_SLOWEST_BYTES_PER_SECOND = 64 * 1024;
/** How often a line that was full is looked at: the kernel takes 128 KiB in less on all but the slowest. */
export const LIVE_LOOK_MS = 20;
/** Stopping a job for less is not worth it. */
export const LIVE_LEAST_HOLD_MS = 100;
/** Refusals of unsigned bytes that are written to the journal in a minute; beyond it they are only counted. */
export const MAX_JOURNALED_REFUSALS_PER_MINUTE = 10;
/** Entries that the journal keeps; the oldest go first, and the chain says from where it is kept. */
export const MAX_JOURNAL_ENTRIES = 200_000;
/** Statements of which a refusal has been receipted; the oldest are forgotten first. */
export const MAX_REFUSED_STATEMENTS = 10_000;
/** Receipts that the relay has confirmed are kept here for the operator at the machine. */
export const STORED_RECEIPT_DAYS = 30;
/** And at most so many of them: a job that comes round each minute makes a thousand in a day. */
export const MAX_STORED_RECEIPTS = 100_000;
/** While the outbox is full nothing comes round; it is looked at again after this. */
export const ROOM_RETRY_MS = 60_000;
/** Receipts that wait for a relay; above it jobs are refused rather than answers lost. */
export const MAX_OUTBOX_RECEIPTS = 20_000;
/** Sealed results that wait for a relay. */
export const MAX_OUTBOX_BYTES = 512 * 1024 * 1024;
/** When the daemon is asked to stop, receipts of the jobs that it ended have this long to reach the relay. */
export const FAREWELL_MS = 3_000;
/** After a rebind without a connection, the new owner comes first; then the former one hears of it over a connection of its own. */
export const FAREWELL_DELAY_MS = 2_000;
/** A former owner's relay that could not be reached is tried again after this, four times longer each time, up to daily. */
export const FAREWELL_RETRY_MS = 60_000;
export const FAREWELL_RETRY_CAP_MS = 24 * 3_600_000;
/** All of a farewell on one connection; a former owner's relay must not keep us longer. */
export const FAREWELL_VISIT_MS = 60_000;
/** The goodbye of an agent that is being uninstalled: whoever removes a package waits no longer for a network. */
export const LEAVE_MS = 10_000;
/** Last words that nobody took in this time are forgotten, and the former identity's key with them. */
export const FAREWELL_KEPT_MS = 30 * 24 * 3_600_000;
/** As many answers as a device can have owed: the jobs of a busy day. Older ones go first to whoever reads the journal. */
export const MAX_FAREWELL_RECEIPTS = 256;
/** Growths of the key log come in bursts; the owner wants to know where it ended. */
export const REPORT_EVERY_MS = 1_000;
/** Connections that ended in a row while a report was on its way: such a relay does not know the message. */
export const MAX_REPORT_LOSSES = 3;
export const INVENTORY_DELAY_MS = 5_000;
export const INVENTORY_EVERY_MS = 24 * 3_600_000;
/** systeminformation asks many programs; one of them may hang. */
export const INVENTORY_TIMEOUT_MS = 60_000;
/** Sealed files that jobs hold here; a job beyond it waits until another has ended: eight of the largest. */
export const MAX_HELD_FILE_BYTES = 2 * 1024 * 1024 * 1024;
/** What files of jobs leave free on a disk: the state, the system's logs and whoever logs in to tidy up need some. */
export const DISK_RESERVE_BYTES = 64 * 1024 * 1024;
/** A large file is read and hashed a piece at a time: a millisecond each. */
export const FILE_PIECE_BYTES = 1024 * 1024;
/** Waiting jobs are looked at again at least so often: a clock may be set. */
export const MAX_LOOK_MS = 3_600_000;
/** Receipts of jobs that expired together, in one transaction: it takes some hundred milliseconds. */
export const MAX_EXPIRED_AT_ONCE = 256;
/** On a full disk, a receipt that could not be written is tried again after this. */
export const DISK_RETRY_MS = 5_000;
/** A line of `systemctl status`. */
export const SERVICE_WORDS_CHARS = 300;
/** An agent that cannot serve ends this long after it said why: its service manager starts it again within seconds. */
export const CANNOT_SERVE_WAIT_MS = 30_000;
/** Meanwhile it looks this often whether somebody has bound the device. */
export const CANNOT_SERVE_LOOK_MS = 500;
/** How long another writer (bind beside run) may hold the database. */
export const DATABASE_WAIT_MS = 5_000;
/** A version on trial that has found no relay in this time has failed: a network that comes up late is there by then. */
export const TRIAL_CONNECT_MS = 5 * 60_000;
/** A version that has served for this long is none that fails to start. */
export const STARTED_MS = 60_000;
/** `versions/trial` holds a version and a number; `asked` a version and a job's id. */
export const MAX_VERSION_TEXT_BYTES = 200;
/** Windows' service host reads the lists of some twenty files; what it says has one path in it, of Windows' own greatest length. */
export const CHECK_VERSIONS_TIME_MS = 30_000;
export const MAX_CHECK_VERSIONS_BYTES = 256 * 1024;
/** A scanner reads a new Node of 100 MiB for seconds; the agent is about to end itself, and nothing else waits for it. */
export const MOVE_TRIES = 50;
export const MOVE_PAUSE_MS = 200;
/** A file that a scanner holds while its folder is removed; each retry waits a tenth of a second longer. */
export const REMOVE_RETRIES = 10;
/** An update is unpacked with a window of this many bits: eight mebibytes, which the highest common level asks for. */
export const UNPACK_WINDOW_LOG = 23;
/** The agent's own log, where it writes one: weeks of a busy device in each file, so that all of it fits beside anything. */
export const MAX_LOG_BYTES = 8 * 1024 * 1024;
/** Older files of it that are kept. */
export const KEPT_LOGS = 4;
/** Lines that wait for the log of the whole machine: what one program is given at once. */
export const SYSTEM_LOG_LINES = 100;
/** Of each line; logger(1) of BSD reads 1,024 bytes, with the agent's name and the line's end. */
export const SYSTEM_LOG_LINE_BYTES = 1000;
/** Between two programs that take such lines: a noisy hour is no hour of starting programs. */
export const SYSTEM_LOG_PAUSE_MS = 1_000;
/** When the agent ends, at most so many of them take what still waits, each for so long. */
export const SYSTEM_LOG_LAST_PROGRAMS = 5;
export const SYSTEM_LOG_LAST_MS = 200;
