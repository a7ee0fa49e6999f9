// The relay's database as SQL, as it grew. Times are milliseconds since the epoch; what tenants keep is counted by triggers, so
// that no path can forget to count it.

const FIRST = `
CREATE TABLE claim (
  hash BLOB PRIMARY KEY,
  made_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  tenant TEXT
) STRICT;

CREATE TABLE tenant (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  made_at INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE entry (
  tenant INTEGER NOT NULL REFERENCES tenant,
  log TEXT NOT NULL CHECK (log IN ('key', 'roster')),
  seq INTEGER NOT NULL,
  id TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (tenant, log, seq)
) STRICT;
CREATE INDEX entry_by_id ON entry (tenant, log, id);

CREATE TABLE roster_mention (
  tenant INTEGER NOT NULL REFERENCES tenant,
  device TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (tenant, device, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE roster_snapshot (
  tenant INTEGER PRIMARY KEY REFERENCES tenant,
  seq INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT;

CREATE TABLE checkpoint (
  tenant INTEGER NOT NULL REFERENCES tenant,
  operator TEXT NOT NULL,
  time INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (tenant, operator)
) STRICT;

CREATE TABLE device (
  tenant INTEGER NOT NULL REFERENCES tenant,
  id TEXT NOT NULL,
  sig TEXT,
  request BLOB,
  proof TEXT,
  seen_at INTEGER NOT NULL,
  in_roster INTEGER NOT NULL DEFAULT 0,
  removed INTEGER NOT NULL DEFAULT 0,
  receipts INTEGER NOT NULL DEFAULT 0,
  inventory BLOB,
  PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX device_pending ON device (tenant) WHERE in_roster = 0 AND removed = 0;

CREATE TABLE job (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL REFERENCES tenant,
  id TEXT NOT NULL,
  batch TEXT NOT NULL,
  digest BLOB NOT NULL,
  submitted_at INTEGER NOT NULL,
  targets INTEGER NOT NULL,
  answered INTEGER NOT NULL DEFAULT 0,
  envelope BLOB NOT NULL,
  body BLOB NOT NULL,
  reader_wraps BLOB NOT NULL,
  UNIQUE (tenant, id)
) STRICT;
CREATE UNIQUE INDEX job_by_tenant_and_time ON job (tenant, submitted_at);
CREATE INDEX job_by_time ON job (submitted_at);

CREATE TABLE delivery (
  job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
  place INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  device TEXT NOT NULL,
  wrap BLOB NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'taken', 'answered', 'expired')),
  note TEXT,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (job, place)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX delivery_by_device ON delivery (job, device);
CREATE INDEX delivery_queue ON delivery (tenant, device, job) WHERE state = 'queued';
CREATE INDEX delivery_expiry ON delivery (expires_at) WHERE state = 'queued';

CREATE TABLE receipt (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL REFERENCES tenant,
  device TEXT NOT NULL,
  seq INTEGER NOT NULL,
  job TEXT NOT NULL,
  is_foreign INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  UNIQUE (tenant, device, seq)
) STRICT;
CREATE INDEX receipt_by_job ON receipt (tenant, job, device, seq);
CREATE INDEX receipt_foreign ON receipt (tenant, device) WHERE is_foreign = 1;
CREATE INDEX receipt_by_time ON receipt (received_at);

CREATE TABLE result (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL REFERENCES tenant,
  device TEXT NOT NULL,
  job TEXT NOT NULL,
  size INTEGER NOT NULL,
  received INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER NOT NULL,
  receipt INTEGER REFERENCES receipt ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX result_upload ON result (tenant, device, job) WHERE receipt IS NULL;
CREATE INDEX result_by_receipt ON result (receipt);

CREATE TABLE result_part (
  result INTEGER NOT NULL REFERENCES result ON DELETE CASCADE,
  at INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (result, at)
) STRICT;

CREATE TRIGGER job_counted AFTER INSERT ON job BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes + length(NEW.envelope) + length(NEW.body) WHERE n = NEW.tenant;
END;
CREATE TRIGGER job_uncounted AFTER DELETE ON job BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes - length(OLD.envelope) - length(OLD.body) WHERE n = OLD.tenant;
END;
CREATE TRIGGER receipt_counted AFTER INSERT ON receipt BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes + length(NEW.bytes) WHERE n = NEW.tenant;
END;
CREATE TRIGGER receipt_uncounted AFTER DELETE ON receipt BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes - length(OLD.bytes) WHERE n = OLD.tenant;
END;
CREATE TRIGGER result_counted AFTER INSERT ON result_part BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes + length(NEW.bytes) WHERE n = NEW.tenant;
END;
CREATE TRIGGER result_uncounted AFTER DELETE ON result_part BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes - length(OLD.bytes) WHERE n = OLD.tenant;
END;
`;

// Requests for keys, proposals, binding reports, and tenants that took another's place.
const SECOND = `
ALTER TABLE claim ADD COLUMN retires TEXT;
ALTER TABLE tenant ADD COLUMN retired_by TEXT;
ALTER TABLE device ADD COLUMN report BLOB;

CREATE TABLE key_request (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL REFERENCES tenant,
  id TEXT NOT NULL,
  key TEXT NOT NULL,
  operator TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'rejected')),
  filed_at INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  UNIQUE (tenant, id)
) STRICT;
CREATE INDEX key_request_by_key ON key_request (tenant, key);
CREATE INDEX key_request_by_operator ON key_request (tenant, operator);
CREATE INDEX key_request_by_time ON key_request (filed_at);

CREATE TABLE proposal (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL REFERENCES tenant,
  id TEXT NOT NULL,
  signatures INTEGER NOT NULL,
  proposed_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (tenant, id)
) STRICT;
CREATE INDEX proposal_by_end ON proposal (expires_at);

CREATE TABLE proposal_part (
  proposal INTEGER NOT NULL REFERENCES proposal ON DELETE CASCADE,
  place INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (proposal, place)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER proposal_counted AFTER INSERT ON proposal_part BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes + length(NEW.bytes) WHERE n = NEW.tenant;
END;
CREATE TRIGGER proposal_uncounted AFTER DELETE ON proposal_part BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes - length(OLD.bytes) WHERE n = OLD.tenant;
END;
`;

// Sealed files that jobs bring, and what names them. One that is not needed is first `gone`, so that nobody finds half of it, and then
// deleted a few parts at a time.
const THIRD = `
CREATE TABLE blob (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL REFERENCES tenant,
  id TEXT NOT NULL,
  size INTEGER NOT NULL,
  received INTEGER NOT NULL DEFAULT 0,
  touched_at INTEGER NOT NULL,
  gone INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX blob_by_id ON blob (tenant, id) WHERE gone = 0;
CREATE INDEX blob_by_tenant ON blob (tenant, n);
CREATE INDEX blob_by_time ON blob (touched_at) WHERE gone = 0;
CREATE INDEX blob_gone ON blob (n) WHERE gone = 1;

CREATE TABLE blob_part (
  blob INTEGER NOT NULL REFERENCES blob ON DELETE CASCADE,
  at INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (blob, at)
) STRICT;

CREATE TABLE blob_use (
  blob INTEGER NOT NULL REFERENCES blob ON DELETE CASCADE,
  job INTEGER REFERENCES job ON DELETE CASCADE,
  proposal INTEGER REFERENCES proposal ON DELETE CASCADE
) STRICT;
CREATE INDEX blob_use_by_blob ON blob_use (blob);
CREATE INDEX blob_use_by_job ON blob_use (job);
CREATE INDEX blob_use_by_proposal ON blob_use (proposal);

CREATE TRIGGER blob_counted AFTER INSERT ON blob_part BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes + length(NEW.bytes) WHERE n = NEW.tenant;
END;
CREATE TRIGGER blob_uncounted AFTER DELETE ON blob_part BEGIN
  UPDATE tenant SET stored_bytes = stored_bytes - length(OLD.bytes) WHERE n = OLD.tenant;
END;
`;

/** What a database is brought up to date by: the step at an index leads from that version to the next. */
export const SCHEMA_STEPS: readonly string[] = [FIRST, SECOND, THIRD];
export const SCHEMA_VERSION = SCHEMA_STEPS.length;
