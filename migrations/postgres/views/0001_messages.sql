-- The views are derived from the log and can be rebuilt from it. Each set of them is a schema, VIEWS stands for
-- its name. If this file changes, existing views are rebuilt at the next start. The checkpoint of each set is in
-- the table projections.

-- Nodes of the tree over the events' digests: those of every eighth level, from level 8. A node of level 8
-- covers 256 events.
CREATE TABLE VIEWS.tree_nodes(
  level smallint NOT NULL,
  idx bigint NOT NULL,             -- its index within the level, from 0
  hash bytea NOT NULL,             -- 32 bytes
  PRIMARY KEY (level, idx)
);

CREATE TABLE VIEWS.accounts(
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- 0 is used for "no account"
  account_sid bytea NOT NULL UNIQUE
);

-- Ids have no gaps, and follow the order in which the messages' first events arrived.
CREATE TABLE VIEWS.messages(
  id bigint PRIMARY KEY,
  account integer NOT NULL,
  flags smallint NOT NULL,         -- bits: 1 conflict, 2 late, 4 duplicate, 8 open, 16 inbound,
                                   -- 32 no status reported; no index has them, so that most updates
                                   -- write no index
  sid bytea NOT NULL,              -- SM or MM and lower-case hex: 1 or 2, then 16 bytes; others:
                                   -- 0, then the text
  status text,                     -- of the deciding event; NULL if unknown
  recipient bytea,                 -- To in UTF-8, its bytes in reverse, so that the index finds
                                   -- numbers by their last digits; NULL if unknown
  sender bytea,                    -- From, in the same encoding
  lifecycle bytea NOT NULL         -- everything else, in format 5 of
                                   -- src/store/codec/lifecycle/mod.rs
) WITH (fillfactor = 85);

-- The ids of the messages that have a flag: a table of its own, because the second event of most messages
-- changes one, and an index on a changed column would be written with each change of the message.
CREATE TABLE VIEWS.flagged(
  flag smallint NOT NULL,
  id bigint NOT NULL,
  PRIMARY KEY (flag, id)
);

-- The tags of messages, to find messages by them. A tag that was dropped from its message, because the
-- message has too many, still has its row.
CREATE TABLE VIEWS.tags(
  hash bigint NOT NULL,            -- SipHash-2-4 of the name's length, the name and the value
  message bigint NOT NULL
);

-- The first thousand names of tags, whether they are indexed or not.
CREATE TABLE VIEWS.tag_names(
  name bytea PRIMARY KEY
);

-- The number of messages with each combination of these columns, and their figures. Combinations without
-- messages have no row.
--
-- Countries by phonenumber 0.3.10+9.0.33. Another version may find another country for a number, and would
-- subtract its message from the wrong row; changing the version here rebuilds existing views.
CREATE TABLE VIEWS.rollups(
  hours bigint NOT NULL,           -- the length of the period: 1, or 24 for a day in UTC
  hour bigint NOT NULL,            -- the period in which the first event arrived: its first hour, in
                                   -- hours since 1970, UTC
  account integer NOT NULL,
  channel bytea NOT NULL,
  country text NOT NULL,           -- two letters; '' if none
  status text NOT NULL,            -- '' if unknown
  error_code bigint NOT NULL,      -- -1 if none
  kind bigint NOT NULL,            -- 1 if inbound, plus 2 if simulated
  open_since bigint NOT NULL,      -- the hour from which the age of open messages is counted;
                                   -- -2^63 if they are not open
  rollup bytea NOT NULL,           -- packed: the numbers of messages, conflicts, imported, late and
                                   -- duplicate ones, and two histograms in milliseconds
  PRIMARY KEY (hours, hour, account, channel, country, status, error_code, kind, open_since)
) WITH (fillfactor = 70);

-- The errors that Twilio has logged about webhook requests, counted by error code and URL: the first thousand
-- pairs, and one row with the code 0 and no URL for all others.
CREATE TABLE VIEWS.logged_errors(
  code bigint NOT NULL,
  url bytea NOT NULL,              -- without its query
  count bigint NOT NULL,
  first_at bigint NOT NULL,        -- microseconds since 1970, by Twilio's clock
  last_at bigint NOT NULL,
  PRIMARY KEY (code, url)
);

-- Events that name a message and report nothing of it, as erased ones do: they are not in its history.
CREATE TABLE VIEWS.silent_events(
  message bigint NOT NULL,         -- the first 63 bits of the hash of account and message
  position bigint NOT NULL,
  PRIMARY KEY (message, position)
);

-- The hashes of their ids. Twilio sends an event again if it got no answer.
CREATE TABLE VIEWS.logged_error_ids(
  id bigint PRIMARY KEY
);
