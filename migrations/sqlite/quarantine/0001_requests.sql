-- Requests that the callback listener has rejected. They prove nothing, because anybody can send them. If
-- the quarantine is full, some are deleted to make room.

CREATE TABLE requests (
  number      INTEGER PRIMARY KEY AUTOINCREMENT, -- in order of arrival
  id          BLOB    NOT NULL UNIQUE,           -- a UUID v7; the event_id if it is appended to the log
  received_at INTEGER NOT NULL,                  -- microseconds since 1970, UTC
  method      TEXT    NOT NULL,
  target      TEXT    NOT NULL,                  -- path and query as received
  headers     BLOB    NOT NULL,                  -- names and values alternately, packed
  body        BLOB    NOT NULL,
  reason      TEXT    NOT NULL,
  cause       TEXT,                              -- the likely cause, determined when it arrived
  append_after INTEGER                           -- if not NULL, it may be in the log, after this position
) STRICT;

-- There are such requests only during a recheck, or after one was interrupted.
CREATE INDEX marked ON requests(append_after) WHERE append_after IS NOT NULL;

-- One row: the number of requests, so that they need not be counted.
CREATE TABLE kept (
  requests INTEGER NOT NULL
) STRICT;
INSERT INTO kept (requests) VALUES (0);

CREATE TRIGGER requests_inserted AFTER INSERT ON requests BEGIN
  UPDATE kept SET requests = requests + 1;
END;
CREATE TRIGGER requests_deleted AFTER DELETE ON requests BEGIN
  UPDATE kept SET requests = requests - 1;
END;
