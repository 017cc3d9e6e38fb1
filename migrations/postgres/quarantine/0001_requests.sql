-- Requests that the callback listener has rejected. They prove nothing, because anybody can send them. If
-- the quarantine is full, some are deleted to make room.

CREATE TABLE requests(
  number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- in order of arrival
  id          uuid   NOT NULL UNIQUE,          -- version 7; the event_id if it is appended to the log
  received_at bigint NOT NULL,                 -- microseconds since 1970, UTC
  method      bytea  NOT NULL,
  target      bytea  NOT NULL,                 -- path and query as received
  headers     bytea  NOT NULL,                 -- names and values alternately, packed
  body        bytea  NOT NULL,
  reason      text   NOT NULL,
  cause       bytea,                           -- the likely cause, determined when it arrived
  append_after bigint                          -- if not NULL, it may be in the log, after this position
);

-- There are such requests only during a recheck, or after one was interrupted.
CREATE INDEX marked ON requests(append_after) WHERE append_after IS NOT NULL;

-- One row: the number of requests and their bytes, so that they need not be counted.
CREATE TABLE quarantine_size(
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  requests bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0
);
INSERT INTO quarantine_size DEFAULT VALUES;
