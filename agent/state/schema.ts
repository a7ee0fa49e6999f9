// The agent's tables, as the steps in which they came to be. A step that has shipped does not change; a new state takes all of them.

/** One row of `owner` at the most: a device has one owner or none. */
const FIRST = `
CREATE TABLE owner (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  generation INTEGER NOT NULL,           -- one more with each owner; a daemon of the one before writes nothing more
  tenant TEXT NOT NULL,
  bound_at INTEGER NOT NULL,
  deployment TEXT NOT NULL,              -- statement id of the deployment that bound
  deployed_at INTEGER NOT NULL,          -- issuedAt of the deployment whose relays are in use
  relays TEXT NOT NULL,                  -- JSON list
  class TEXT NOT NULL,
  name TEXT,                             -- as the roster last said
  roster_key_seq INTEGER NOT NULL,       -- place of the key log that the last roster entry names, -1 before any
  roster_seq INTEGER NOT NULL,           -- place of the last roster entry that was followed, -1 before any
  seed BLOB NOT NULL,                    -- the device's Ed25519 seed
  sealing BLOB NOT NULL,                 -- the device's X25519 private key
  device TEXT NOT NULL,
  machine_tag TEXT NOT NULL,
  enrolment BLOB NOT NULL,               -- the signed request
  enrolment_id TEXT NOT NULL,
  proof BLOB,                            -- of the enrolment token
  key_state TEXT NOT NULL,               -- judged state of the key log, JSON
  floor INTEGER NOT NULL                 -- no time before this is believed
) STRICT;
CREATE TABLE tombstone (tenant TEXT PRIMARY KEY, retired_at INTEGER NOT NULL) STRICT;
CREATE TABLE key_entry (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, bytes BLOB NOT NULL, heard_at INTEGER NOT NULL) STRICT;
CREATE TABLE vouch (operator TEXT PRIMARY KEY, time INTEGER NOT NULL) STRICT;
CREATE TABLE ledger (
  job TEXT PRIMARY KEY,
  statement TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'started', 'finished')),
  accepted INTEGER NOT NULL,             -- order of acceptance
  not_before INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  boot_id TEXT NOT NULL,                 -- boot in which it was accepted or started
  started_at INTEGER,
  may_reboot INTEGER NOT NULL,
  envelope BLOB,                         -- these three until it has finished
  wrap BLOB,
  body BLOB
) STRICT;
CREATE UNIQUE INDEX ledger_accepted ON ledger (accepted);
CREATE INDEX ledger_expiry ON ledger (state, expires_at);
CREATE TABLE refused (statement TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT;
CREATE TABLE receipt (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  job TEXT NOT NULL,
  bytes BLOB NOT NULL,
  result BLOB,                           -- sealed output, until the relay has it
  time INTEGER NOT NULL,
  stored INTEGER NOT NULL                -- 1 once the relay has confirmed it
) STRICT;
CREATE INDEX receipt_outbox ON receipt (seq) WHERE stored = 0;
CREATE TABLE farewell (seq INTEGER PRIMARY KEY, job TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE journal (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
`;

/** What the owner is to hear of bindings: the package that was refused last, and from the identity before a rebind where the device went. */
const BINDING_REPORTS = `
CREATE TABLE refused_package (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  code TEXT NOT NULL,
  time INTEGER NOT NULL
) STRICT;
CREATE TABLE former (                    -- the identity before, until its last words are said; its receipts are in farewell
  one INTEGER PRIMARY KEY CHECK (one = 1),
  tenant TEXT NOT NULL,
  device TEXT NOT NULL,
  seed BLOB NOT NULL,                    -- for one login more, and nothing else
  relays TEXT NOT NULL,                  -- JSON list
  report BLOB NOT NULL,                  -- its last binding report, signed
  left_at INTEGER NOT NULL
) STRICT;
`;

/** What was cancelled before it came, and cancels that wait for jobs to end: one row for each job that they name. */
const CANCELS = `
CREATE TABLE barred (
  job TEXT PRIMARY KEY,
  statement TEXT NOT NULL,
  expires_at INTEGER NOT NULL            -- the job's own end
) STRICT;
CREATE TABLE cancelling (
  cancel TEXT NOT NULL,                  -- id of the cancel
  statement TEXT NOT NULL,               -- and its statement
  place INTEGER NOT NULL,                -- in the cancel's list
  job TEXT NOT NULL,
  state TEXT NOT NULL,                   -- running, or how far it had got
  PRIMARY KEY (cancel, place)
) STRICT;
CREATE INDEX receipt_job ON receipt (job);
`;

/** What orders a job that waits, so that a start need not open each; and jobs that run several times. */
const TURNS = `
ALTER TABLE ledger ADD COLUMN signer TEXT NOT NULL DEFAULT '';
ALTER TABLE ledger ADD COLUMN lock TEXT;
ALTER TABLE ledger ADD COLUMN window TEXT;        -- JSON
ALTER TABLE ledger ADD COLUMN every_ms INTEGER;   -- these three of a job that runs several times
ALTER TABLE ledger ADD COLUMN run_count INTEGER;
ALTER TABLE ledger ADD COLUMN occurrence INTEGER; -- the one that runs, else the next; never lower again
`;

/** A job whose files have to come before its turn; and a result that is a file of its own in the folder of fetched files. */
const FETCHED = `
ALTER TABLE ledger ADD COLUMN has_files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receipt ADD COLUMN result_file TEXT;
ALTER TABLE receipt ADD COLUMN result_bytes INTEGER NOT NULL DEFAULT 0;
`;

/** What is kept of an owner whose agent was uninstalled, beside the entries of its key log. */
const LEFT_OWNER = `
CREATE TABLE left_owner (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  tenant TEXT NOT NULL,
  key_state TEXT NOT NULL,               -- these three as in owner
  deployed_at INTEGER NOT NULL,
  floor INTEGER NOT NULL
) STRICT;
`;

/** Step n leads from version n to version n + 1. */
export const SCHEMA_STEPS: readonly string[] = [FIRST, BINDING_REPORTS, CANCELS, TURNS, FETCHED, LEFT_OWNER];
export const SCHEMA_VERSION = SCHEMA_STEPS.length;
