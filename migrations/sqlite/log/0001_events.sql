-- The log: precious, appended to and never changed. docs/LOG_FORMAT.md explains every column.

CREATE TABLE ledger(
  ledger_id BLOB NOT NULL          -- a UUID of 16 bytes; the views carry the same
);

-- What many events share, written once: everything about a request but its variable values.
CREATE TABLE envelopes(
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  method TEXT NOT NULL,
  url TEXT NOT NULL,               -- up to the query, which is a variable value
  verified_by TEXT,
  headers TEXT NOT NULL            -- JSON: [[name, value], …]; a value of null stands in the event
);

CREATE TABLE events(
  position INTEGER PRIMARY KEY,
  event_id BLOB NOT NULL,          -- a UUID of 16 bytes
  received_at INTEGER NOT NULL,    -- microseconds since 1970, UTC
  envelope INTEGER NOT NULL,
  variables BLOB NOT NULL,         -- query, notes, then the values that the envelope leaves open
  body BLOB NOT NULL
);

CREATE TRIGGER events_are_numbered_without_gaps
BEFORE INSERT ON events
WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
BEGIN
  SELECT raise(ABORT, 'an event takes the position after the head');
END;

CREATE TRIGGER events_never_change
BEFORE UPDATE ON events
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
