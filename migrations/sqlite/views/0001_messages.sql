-- The views: derived from the log and disposable. If a statement here changes, views that were
-- written before are rebuilt.

-- One row: how far the projection has read, of which log, by which rule.
CREATE TABLE checkpoint(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ledger_id BLOB NOT NULL,
  generation BLOB NOT NULL,        -- a UUID, another one whenever these tables are rebuilt
  rule TEXT NOT NULL,
  position INTEGER NOT NULL,
  event_id BLOB,                   -- of the event at that position
  right_edge BLOB NOT NULL,        -- of the tree up to that position: 32 bytes for each complete
                                   -- subtree, from left to right
  first_real INTEGER NOT NULL,     -- the first event that no simulation sent; 0 is none
  last_simulated INTEGER NOT NULL, -- the last event that a simulation sent; 0 is none
  indexed_tags TEXT                -- the names of the indexed tags, as a JSON array; NULL is all
);

-- The nodes of the tree over the events' digests at every eighth level from level 8 up: a node of level 8
-- covers 256 events.
CREATE TABLE tree_nodes(
  level INTEGER NOT NULL,
  idx INTEGER NOT NULL,            -- the number of nodes of this level before it
  hash BLOB NOT NULL,              -- 32 bytes
  PRIMARY KEY (level, idx)
) WITHOUT ROWID;

CREATE TABLE accounts(
  id INTEGER PRIMARY KEY,          -- 0 is no account
  account_sid TEXT NOT NULL UNIQUE
);

-- id is dense and given in order of first arrival.
CREATE TABLE messages(
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  sid BLOB NOT NULL,               -- 1 or 2 and 16 bytes: SM or MM and lower-case hex; 0 and text
  status TEXT,                     -- of the deciding event; NULL is unknown
  recipient BLOB,                  -- To in UTF-8, its bytes reversed: those with the same last
                                   -- digits are neighbours; NULL is unknown
  sender BLOB,                     -- the same of From
  flags INTEGER NOT NULL,          -- 1 conflict, 2 late, 4 duplicate, 8 open, 16 inbound,
                                   -- 32 no status reported
  lifecycle BLOB NOT NULL          -- the rest, in format 4 of
                                   -- src/store/sqlite/views/codec/lifecycle.rs: with another
                                   -- number here, views that were written before are rebuilt;
                                   -- fingerprints: src/domain/digest.rs
);

-- A rebuild drops these indexes and creates them at its end, by these statements.
CREATE UNIQUE INDEX messages_by_sid ON messages(sid, account);
CREATE INDEX messages_by_recipient ON messages(recipient);
CREATE INDEX messages_by_sender ON messages(sender);
CREATE INDEX messages_conflict ON messages(id) WHERE flags & 1;
CREATE INDEX messages_late ON messages(id) WHERE flags & 2;
CREATE INDEX messages_duplicate ON messages(id) WHERE flags & 4;
CREATE INDEX messages_open ON messages(id) WHERE flags & 8;
CREATE INDEX messages_inbound ON messages(id) WHERE flags & 16;
CREATE INDEX messages_without_status ON messages(id) WHERE flags & 32;

-- The tags of messages: SipHash-2-4 of the name's length, the name and the value. A tag that a message no
-- longer keeps, because it has too many, still has its row.
CREATE TABLE tags(
  hash INTEGER NOT NULL,
  message INTEGER NOT NULL
);
CREATE INDEX tags_by_hash ON tags(hash, message);

-- The first thousand names of tags, indexed or not.
CREATE TABLE tag_names(
  name TEXT PRIMARY KEY
) WITHOUT ROWID;

-- Countries by phonenumber 0.3.10+9.0.33. With other tables a message would be subtracted from another
-- roll-up than it was counted in; another number here has the views rebuilt.
--
-- How many messages each combination of these columns has, and their figures; only combinations
-- that have messages.
CREATE TABLE rollups(
  hour INTEGER NOT NULL,           -- of first arrival, in hours since 1970 began (UTC)
  account INTEGER NOT NULL,
  channel TEXT NOT NULL,
  country TEXT NOT NULL,           -- two letters; '' is none
  status TEXT NOT NULL,            -- '' is unknown
  error_code INTEGER NOT NULL,     -- -1 is none
  kind INTEGER NOT NULL,           -- 1 if inbound, plus 2 if simulated
  open_since INTEGER NOT NULL,     -- the hour from which the age of open messages counts; -2^63
                                   -- if they are not open
  rollup BLOB NOT NULL,            -- packed: messages, conflicts, imported, late, duplicate, and
                                   -- two histograms in milliseconds
  PRIMARY KEY (hour, account, channel, country, status, error_code, kind, open_since)
) WITHOUT ROWID;
