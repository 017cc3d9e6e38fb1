-- What erasing needs besides the list of erased events.

CREATE INDEX erased_by_message ON erased(message);

-- The number of transactions that have erased events: a server sees by it that envelopes were emptied.
ALTER TABLE log_head ADD COLUMN erasures bigint NOT NULL DEFAULT 0;

CREATE FUNCTION head_and_erasures_never_move_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR NEW.position < OLD.position OR NEW.erasures < OLD.erasures THEN
    RAISE EXCEPTION 'the head of the log never moves back';
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER head_never_moves_back ON log_head;
CREATE TRIGGER head_never_moves_back BEFORE INSERT OR DELETE OR UPDATE ON log_head
  FOR EACH ROW EXECUTE FUNCTION head_and_erasures_never_move_back();

-- The only change allowed is that an erasure, which is the last event, empties one. That no event uses it is
-- checked by the program: a trigger would read all events, for each envelope.
CREATE FUNCTION envelopes_change_by_erasure_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id IS DISTINCT FROM OLD.id
    OR NEW.source IS DISTINCT FROM OLD.source
    OR NEW.source IS NOT DISTINCT FROM 'erasure'
    OR NEW.envelope IS DISTINCT FROM convert_to(OLD.id::text, 'UTF8')
    OR (
      SELECT source FROM log_head JOIN events USING (position) JOIN envelopes ON id = events.envelope
    ) IS DISTINCT FROM 'erasure'
  THEN
    RAISE EXCEPTION 'the log is only appended to';
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER envelopes_never_change ON envelopes;
CREATE TRIGGER envelopes_never_change BEFORE UPDATE ON envelopes
  FOR EACH ROW EXECUTE FUNCTION envelopes_change_by_erasure_only();
CREATE TRIGGER envelopes_are_never_removed BEFORE DELETE ON envelopes
  FOR EACH ROW EXECUTE FUNCTION log_is_only_appended_to();

ALTER TABLE log_head ENABLE ALWAYS TRIGGER head_never_moves_back;
ALTER TABLE envelopes ENABLE ALWAYS TRIGGER envelopes_never_change;
ALTER TABLE envelopes ENABLE ALWAYS TRIGGER envelopes_are_never_removed;
