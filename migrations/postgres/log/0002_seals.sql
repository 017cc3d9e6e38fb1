-- Statements about the log: seals, what others attest of them, and changes of the key. They are not events
-- and not part of the tree, and like events they are only added. docs/LOG_FORMAT.md describes them.

CREATE TABLE seal_records(
  number bigint PRIMARY KEY,       -- 1, 2, 3, … without gaps
  kind text NOT NULL,              -- seal, cosignature, timestamp, key-change, key or branch
  size bigint NOT NULL,            -- the number of events that it is about
  recorded_at bigint NOT NULL,     -- microseconds since 1970, UTC
  content bytea NOT NULL           -- a note, the line of a cosignature, a token, a key or an id
);
CREATE INDEX seal_records_by_kind ON seal_records(kind, size);

-- What is sealed is in the log, and no seal is of fewer events than an earlier one.
CREATE FUNCTION seal_records_are_added_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.number IS DISTINCT FROM (SELECT coalesce(max(number), 0) + 1 FROM seal_records) THEN
    RAISE EXCEPTION 'a record of seals takes the next number';
  END IF;
  IF NOT coalesce(
    NEW.size BETWEEN 0 AND (SELECT position FROM log_head)
    AND (
      NEW.kind <> 'seal'
      OR NEW.size >= (SELECT coalesce(max(size), 0) FROM seal_records WHERE kind = 'seal')
    ), false)
  THEN
    RAISE EXCEPTION 'a seal is of events in the log, and of no fewer than an earlier one';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER seal_records_are_in_order BEFORE INSERT ON seal_records
  FOR EACH ROW EXECUTE FUNCTION seal_records_are_added_in_order();
CREATE TRIGGER seal_records_never_change BEFORE DELETE OR UPDATE ON seal_records
  FOR EACH ROW EXECUTE FUNCTION log_is_only_appended_to();
CREATE TRIGGER seal_records_are_never_emptied BEFORE TRUNCATE ON seal_records
  FOR EACH STATEMENT EXECUTE FUNCTION log_is_only_appended_to();

ALTER TABLE seal_records ENABLE ALWAYS TRIGGER seal_records_are_in_order;
ALTER TABLE seal_records ENABLE ALWAYS TRIGGER seal_records_never_change;
ALTER TABLE seal_records ENABLE ALWAYS TRIGGER seal_records_are_never_emptied;
