-- The views are derived from the log and can be rebuilt from it. If this file changes, existing views are
-- rebuilt at the next start.

-- One row: the log that the projection reads, the position up to which it has read, and the rule in use.
CREATE TABLE checkpoint(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ledger_id BLOB NOT NULL,
  generation BLOB NOT NULL,        -- a UUID; each rebuild has a new one
  rule TEXT NOT NULL,
  position INTEGER NOT NULL,
  event_id BLOB,                   -- of the event at that position
  right_edge BLOB NOT NULL,        -- the complete subtrees of the tree up to that position, from left
                                   -- to right: 32 bytes each
  first_real INTEGER NOT NULL,     -- position of the first event that is not simulated; 0 if none
  last_simulated INTEGER NOT NULL, -- position of the last simulated event; 0 if none
  indexed_tags TEXT                -- the names of the indexed tags, a JSON array; NULL if all
);

-- Nodes of the tree over the events' digests: those of every eighth level, from level 8. A node of level 8
-- covers 256 events.
CREATE TABLE tree_nodes(
  level INTEGER NOT NULL,
  idx INTEGER NOT NULL,            -- its index within the level, from 0
  hash BLOB NOT NULL,              -- 32 bytes
  PRIMARY KEY (level, idx)
) WITHOUT ROWID;

CREATE TABLE accounts(
  id INTEGER PRIMARY KEY,          -- 0 is used for "no account"
  account_sid TEXT NOT NULL UNIQUE
);

-- Ids have no gaps, and follow the order in which the messages' first events arrived.
CREATE TABLE messages(
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  sid BLOB NOT NULL,               -- SM or MM and lower-case hex: 1 or 2, then 16 bytes; others:
                                   -- 0, then the text
  status TEXT,                     -- of the deciding event; NULL if unknown
  recipient BLOB,                  -- To in UTF-8, its bytes in reverse, so that the index finds
                                   -- numbers by their last digits; NULL if unknown
  sender BLOB,                     -- From, in the same encoding
  flags INTEGER NOT NULL,          -- bits: 1 conflict, 2 late, 4 duplicate, 8 open, 16 inbound,
                                   -- 32 no status reported
  lifecycle BLOB NOT NULL          -- everything else, in format 5 of
                                   -- src/store/codec/lifecycle/mod.rs; a change of that
                                   -- format changes the number here, so that existing views are
                                   -- rebuilt; src/domain/digest.rs defines the fingerprints
);

-- A rebuild drops these indexes first, and runs these statements again at its end.
CREATE UNIQUE INDEX messages_by_sid ON messages(sid, account);
CREATE INDEX messages_by_recipient ON messages(recipient);
CREATE INDEX messages_by_sender ON messages(sender);
CREATE INDEX messages_conflict ON messages(id) WHERE flags & 1;
CREATE INDEX messages_late ON messages(id) WHERE flags & 2;
CREATE INDEX messages_duplicate ON messages(id) WHERE flags & 4;
CREATE INDEX messages_open ON messages(id) WHERE flags & 8;
CREATE INDEX messages_inbound ON messages(id) WHERE flags & 16;
CREATE INDEX messages_without_status ON messages(id) WHERE flags & 32;

-- The tags of messages, to find messages by them. A tag that was dropped from its message, because the
-- message has too many, still has its row.
CREATE TABLE tags(
  hash INTEGER NOT NULL,           -- SipHash-2-4 of the name's length, the name and the value
  message INTEGER NOT NULL
);
CREATE INDEX tags_by_hash ON tags(hash, message);

-- The first thousand names of tags, whether they are indexed or not.
CREATE TABLE tag_names(
  name TEXT PRIMARY KEY
) WITHOUT ROWID;

-- The number of messages with each combination of these columns, and their figures. Combinations without
-- messages have no row. Each message counts twice: in a row of its hour, and in one of its day.
--
-- Countries by phonenumber 0.3.10+9.0.33. Another version may find another country for a number, and would
-- subtract its message from the wrong row; changing the version here rebuilds existing views.
CREATE TABLE rollups(
  hours INTEGER NOT NULL,          -- the length of the period: 1, or 24 for a day in UTC
  hour INTEGER NOT NULL,           -- the period in which the first event arrived: its first hour, in
                                   -- hours since 1970, UTC
  account INTEGER NOT NULL,
  channel TEXT NOT NULL,
  country TEXT NOT NULL,           -- two letters; '' if none
  status TEXT NOT NULL,            -- '' if unknown
  error_code INTEGER NOT NULL,     -- -1 if none
  kind INTEGER NOT NULL,           -- 1 if inbound, plus 2 if simulated
  open_since INTEGER NOT NULL,     -- the hour from which the age of open messages is counted;
                                   -- -2^63 if they are not open
  rollup BLOB NOT NULL,            -- packed: the numbers of messages, conflicts, imported, late and
                                   -- duplicate ones, and two histograms in milliseconds
  PRIMARY KEY (hours, hour, account, channel, country, status, error_code, kind, open_since)
) WITHOUT ROWID;

-- The errors that Twilio has logged about webhook requests, counted by error code and URL: the first thousand
-- pairs, and one row with the code 0 and no URL for all others.
CREATE TABLE logged_errors(
  code INTEGER NOT NULL,
  url TEXT NOT NULL,               -- without its query
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,       -- microseconds since 1970, by Twilio's clock
  last_at INTEGER NOT NULL,
  PRIMARY KEY (code, url)
) WITHOUT ROWID;

-- Events that name a message and report nothing of it, as erased ones do: they are not in its history.
CREATE TABLE silent_events(
  message INTEGER NOT NULL,        -- the first 63 bits of the hash of account and message
  position INTEGER NOT NULL,
  PRIMARY KEY (message, position)
) WITHOUT ROWID;

-- The hashes of their ids. Twilio sends an event again if it got no answer.
CREATE TABLE logged_error_ids(
  id INTEGER PRIMARY KEY
);
