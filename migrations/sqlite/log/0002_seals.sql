-- Statements about the log: seals, what others attest of them, and changes of the key. They are not events
-- and not part of the tree, and like events they are only added. docs/LOG_FORMAT.md describes them.

CREATE TABLE seal_records(
  number INTEGER PRIMARY KEY,      -- 1, 2, 3, … without gaps
  kind TEXT NOT NULL,              -- seal, cosignature, timestamp, key-change, key or branch
  size INTEGER NOT NULL,           -- the number of events that it is about
  recorded_at INTEGER NOT NULL,    -- microseconds since 1970, UTC
  content BLOB NOT NULL            -- a note, the line of a cosignature, a token, a key or an id
);
CREATE INDEX seal_records_by_kind ON seal_records(kind, size);

CREATE TRIGGER seal_records_are_numbered_without_gaps
BEFORE INSERT ON seal_records
WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM seal_records)
BEGIN
  SELECT raise(ABORT, 'a record of seals takes the next number');
END;

-- What is sealed is in the log, and no seal is of fewer events than an earlier one.
CREATE TRIGGER seals_grow
BEFORE INSERT ON seal_records
WHEN NOT coalesce(
  NEW.size BETWEEN 0 AND (SELECT coalesce(max(position), 0) FROM events)
  AND (
    NEW.kind <> 'seal'
    OR NEW.size >= (SELECT coalesce(max(size), 0) FROM seal_records WHERE kind = 'seal')
  ), 0)
BEGIN
  SELECT raise(ABORT, 'a seal is of events in the log, and of no fewer than an earlier one');
END;

CREATE TRIGGER seal_records_never_change
BEFORE UPDATE ON seal_records
BEGIN
  SELECT raise(ABORT, 'records of seals are only added');
END;

CREATE TRIGGER seal_records_are_never_removed
BEFORE DELETE ON seal_records
BEGIN
  SELECT raise(ABORT, 'records of seals are only added');
END;
