-- How far each target of forwarding has read the log, and the events that it has not accepted yet.
-- Times are microseconds since 1970, UTC.

CREATE TABLE targets (
  name           TEXT    NOT NULL PRIMARY KEY,
  ledger_id      BLOB    NOT NULL,            -- the log that was read
  position       INTEGER NOT NULL,            -- how far it was read
  event_id       BLOB,                        -- the event at the position; NULL at position 0
  version        INTEGER NOT NULL DEFAULT 1,  -- increases when a command changes the state
  failing_since  INTEGER,                     -- NULL if the last attempt succeeded
  answered_at    INTEGER,
  answer         TEXT,
  accepted       INTEGER NOT NULL DEFAULT 0   -- number of events
) STRICT, WITHOUT ROWID;

CREATE TABLE unaccepted (
  target           TEXT    NOT NULL REFERENCES targets(name) ON DELETE CASCADE,
  position         INTEGER NOT NULL,
  order_key        BLOB    NOT NULL,          -- identifies the message: its events are sent in order
  attempts         INTEGER NOT NULL,
  first_attempt_at INTEGER,
  due_at           INTEGER NOT NULL,
  answered_at      INTEGER,
  answer           TEXT,
  failed_at        INTEGER,                   -- NULL while it waits for an attempt or an answer
  PRIMARY KEY (target, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX unaccepted_failed ON unaccepted(target, position) WHERE failed_at IS NOT NULL;

-- The answers of each hour.
CREATE TABLE answers (
  target        TEXT    NOT NULL REFERENCES targets(name) ON DELETE CASCADE,
  hour          INTEGER NOT NULL,             -- hours since 1970
  answer        TEXT    NOT NULL,
  status        TEXT    NOT NULL,             -- the status that the events report; empty if none
  attempts      INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  PRIMARY KEY (target, hour, answer, status)
) STRICT, WITHOUT ROWID;
