-- The views: derived from the log and disposable. No CREATE INDEX anywhere: a replay builds these
-- tables under other names and renames them, and an index would keep its old name.

-- One row: how far the projection has read, of which log, by which rule.
CREATE TABLE checkpoint(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ledger_id BLOB NOT NULL,
  rule TEXT NOT NULL,
  position INTEGER NOT NULL,
  event_id BLOB,                   -- of the event at that position
  chain BLOB NOT NULL              -- the chain of digests up to that position
);

-- The chain's value at every 4,096th position.
CREATE TABLE chain_marks(
  position INTEGER PRIMARY KEY,
  chain BLOB NOT NULL
);

CREATE TABLE accounts(
  id INTEGER PRIMARY KEY,          -- 0 is no account
  account_sid TEXT NOT NULL UNIQUE
);

-- id is dense and given in order of first arrival.
CREATE TABLE messages(
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  sid BLOB NOT NULL,               -- packed as in sids
  status TEXT,                     -- of the deciding event; NULL is unknown
  deciding_position INTEGER NOT NULL,
  deciding_error_code INTEGER,
  from_address TEXT,
  to_address TEXT,
  channel TEXT NOT NULL,
  messaging_service_sid TEXT,
  receipt_status TEXT,
  raw_dlr_done_date TEXT,
  heard BLOB NOT NULL,             -- statuses: each 1 byte, and 8 for its first arrival
  codes BLOB NOT NULL,             -- error codes: each 4 bytes, and 1 for the status it came with
  first_received_at INTEGER NOT NULL,
  last_received_at INTEGER NOT NULL,
  events INTEGER NOT NULL,
  duplicates INTEGER NOT NULL,
  late INTEGER NOT NULL,
  unrecognised INTEGER NOT NULL,
  trail BLOB NOT NULL              -- its events: position and fingerprint of 8 bytes, status of 1
);

-- From a message's SID to its id.
CREATE TABLE sids(
  sid BLOB NOT NULL,               -- 1 or 2 and 16 bytes: SM or MM and lower-case hex; 0 and text
  account INTEGER NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (sid, account)
) WITHOUT ROWID;
