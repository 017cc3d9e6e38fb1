-- Requests refused for their signature. Nothing here is evidence: anybody can have sent it, and the
-- oldest go when there is no more room.

CREATE TABLE requests (
  number      INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of arrival
  id          BLOB    NOT NULL UNIQUE,           -- UUID v7; becomes the event_id, should it be appended
  received_at INTEGER NOT NULL,                  -- microseconds since 1970, UTC
  method      TEXT    NOT NULL,
  target      TEXT    NOT NULL,                  -- path and query, byte for byte
  headers     BLOB    NOT NULL,                  -- names and values in turn, packed
  body        BLOB    NOT NULL,
  reason      TEXT    NOT NULL,
  cause       TEXT,                              -- as it was told when the request came
  append_after INTEGER                           -- it may stand in the log, after this position
) STRICT;

-- There are none, unless a recheck was interrupted.
CREATE INDEX marked ON requests(append_after) WHERE append_after IS NOT NULL;

-- Counting rows takes as long as there are rows; this does not.
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
