-- What erasing needs besides the list of erased events.

CREATE INDEX erased_by_message ON erased(message);

DROP TRIGGER envelopes_never_change;

-- The only change allowed is that an erasure, which is the last event, empties one. That no event uses it is
-- checked by the program: a trigger would read all events, for each envelope.
CREATE TRIGGER envelopes_never_change
BEFORE UPDATE ON envelopes
WHEN NOT (
  NEW.id IS OLD.id
  AND NEW.source IS OLD.source
  AND NEW.source IS NOT 'erasure'
  AND NEW.verified_by IS OLD.verified_by
  AND NEW.method IS ''
  AND NEW.url IS ''
  AND NEW.headers IS ''
  AND (
    SELECT source FROM events JOIN envelopes ON id = envelope
    WHERE position = (SELECT max(position) FROM events)
  ) IS 'erasure'
)
BEGIN
  SELECT raise(ABORT, 'the log is only appended to');
END;
