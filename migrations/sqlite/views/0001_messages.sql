-- The views: derived from the log and disposable. No CREATE INDEX anywhere: a replay builds these
-- tables under other names and renames them, and an index would keep its old name.

-- One row: how far the projection has read, of which log, by which rule.
CREATE TABLE checkpoint(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ledger_id BLOB NOT NULL,
  generation BLOB NOT NULL,        -- a UUID, another one whenever these tables are made anew
  rule TEXT NOT NULL,
  position INTEGER NOT NULL,
  event_id BLOB,                   -- of the event at that position
  chain BLOB NOT NULL,             -- the chain of digests up to that position
  first_real INTEGER NOT NULL,     -- the first event that no simulation sent; 0 is none
  last_simulated INTEGER NOT NULL  -- the last event that a simulation sent; 0 is none
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
  lifecycle BLOB NOT NULL          -- the rest: src/store/sqlite/packed_lifecycle.rs;
                                   -- fingerprints: src/domain/digest.rs
);

-- From a message's SID to its id.
CREATE TABLE sids(
  sid BLOB NOT NULL,               -- 1 or 2 and 16 bytes: SM or MM and lower-case hex; 0 and text
  account INTEGER NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (sid, account)
) WITHOUT ROWID;

-- The ways to messages: by their addresses, each written from its end, and by what is notable about
-- them in one byte: 1 conflict, 2 late, 3 duplicate, 4 open, 5 inbound, 6 no status.
CREATE TABLE recipients(
  key BLOB NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (key, id)
) WITHOUT ROWID;

CREATE TABLE senders(
  key BLOB NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (key, id)
) WITHOUT ROWID;

CREATE TABLE marks(
  key BLOB NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (key, id)
) WITHOUT ROWID;

-- Countries by phonenumber 0.3.10+9.0.33. With other tables a message would be taken out of another
-- cell than it was counted in; another number here has the views made anew.
--
-- How many messages stand in each cell, and what is known of them; none that has no message.
CREATE TABLE cells(
  hour INTEGER NOT NULL,           -- of first arrival, in hours since 1970 began (UTC)
  account INTEGER NOT NULL,
  channel TEXT NOT NULL,
  country TEXT NOT NULL,           -- two letters; '' is none
  status TEXT NOT NULL,            -- '' is unknown
  error_code INTEGER NOT NULL,     -- -1 is none
  kind INTEGER NOT NULL,           -- 1 if inbound, plus 2 if simulated
  open_since INTEGER NOT NULL,     -- the hour from which the age of open messages counts; else -2^63
  tally BLOB NOT NULL,             -- packed: counts, and two histograms in milliseconds
  PRIMARY KEY (hour, account, channel, country, status, error_code, kind, open_since)
) WITHOUT ROWID;
