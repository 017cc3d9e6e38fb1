-- The log is append-only: events are never changed or deleted. The only exception is an erasure, which
-- removes the content of an event. docs/LOG_FORMAT.md describes every column.

CREATE TABLE ledger(
  ledger_id BLOB NOT NULL          -- a UUID of 16 bytes, which is also in the views
);

-- The parts of requests that many events share, each stored once. The other parts are in events.variables.
CREATE TABLE envelopes(
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  method TEXT NOT NULL,
  url TEXT NOT NULL,               -- the shared beginning of the URL
  verified_by TEXT,
  headers TEXT NOT NULL            -- JSON: [[name, value], …]; null: in events.variables
);

CREATE TABLE events(
  position INTEGER PRIMARY KEY,
  event_id BLOB NOT NULL,          -- a UUID of 16 bytes
  received_at INTEGER NOT NULL,    -- microseconds since 1970, UTC
  salt BLOB,                       -- 16 random bytes; NULL if the content has been erased
  envelope INTEGER NOT NULL,       -- 0 if the envelope is in variables
  variables BLOB NOT NULL,         -- the rest of the URL, the notes, and the headers that differ
  body BLOB NOT NULL
);

-- The hashes that replace the content of erased events, so that the log can still be verified.
CREATE TABLE erased(
  position INTEGER PRIMARY KEY,
  message BLOB NOT NULL,           -- the hash of its account and message: 32 bytes
  content BLOB NOT NULL,           -- the hash of its content: 32 bytes
  erased_by INTEGER NOT NULL       -- the position of the erasure, which is a later event
);

CREATE TRIGGER events_are_numbered_without_gaps
BEFORE INSERT ON events
WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
BEGIN
  SELECT raise(ABORT, 'an event takes the position after the head');
END;

-- The only change allowed is that an erasure removes an event's content. The condition uses IS because =
-- results in NULL if a value is NULL, and then the trigger would not reject the change.
CREATE TRIGGER events_never_change
BEFORE UPDATE ON events
WHEN NOT (
  NEW.position IS OLD.position
  AND NEW.event_id IS OLD.event_id
  AND NEW.received_at IS OLD.received_at
  AND length(OLD.salt) IS 16
  AND NEW.salt IS NULL
  AND NEW.body IS x''
  AND EXISTS (SELECT 1 FROM erased WHERE position = OLD.position)
)
BEGIN
  SELECT raise(ABORT, 'the log is only appended to');
END;

CREATE TRIGGER events_are_never_removed
BEFORE DELETE ON events
BEGIN
  SELECT raise(ABORT, 'the log is only appended to');
END;

CREATE TRIGGER envelopes_are_new
BEFORE INSERT ON envelopes
WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM envelopes)
BEGIN
  SELECT raise(ABORT, 'an envelope takes the next id');
END;

CREATE TRIGGER envelopes_never_change
BEFORE UPDATE ON envelopes
BEGIN
  SELECT raise(ABORT, 'the log is only appended to');
END;

CREATE TRIGGER envelopes_are_never_removed
BEFORE DELETE ON envelopes
BEGIN
  SELECT raise(ABORT, 'the log is only appended to');
END;

CREATE TRIGGER erased_events_have_an_erasure
BEFORE INSERT ON erased
WHEN NOT (
  coalesce(NEW.erased_by > NEW.position, 0)
  AND length(NEW.message) IS 32
  AND length(NEW.content) IS 32
  AND EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
  AND NOT EXISTS (SELECT 1 FROM erased WHERE position = NEW.position)
  AND (
    SELECT source FROM events JOIN envelopes ON id = envelope WHERE position = NEW.erased_by
  ) IS 'erasure'
  AND (
    SELECT source FROM events JOIN envelopes ON id = envelope WHERE position = NEW.position
  ) IS NOT 'erasure'
)
BEGIN
  SELECT raise(ABORT, 'only a later erasure erases an event, and not another erasure');
END;

CREATE TRIGGER erased_events_never_change
BEFORE UPDATE ON erased
BEGIN
  SELECT raise(ABORT, 'the log is only appended to');
END;

CREATE TRIGGER erased_events_are_never_removed
BEFORE DELETE ON erased
BEGIN
  SELECT raise(ABORT, 'the log is only appended to');
END;
