-- The log is append-only: events are never changed or deleted. The only exception is an erasure, which
-- removes the content of an event. docs/LOG_FORMAT.md describes every column.
--
-- What may hold any bytes is bytea: text and jsonb refuse NUL, and text what is not UTF-8.

CREATE TABLE ledger(
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  ledger_id uuid NOT NULL          -- also in the views
);

-- One row: its lock is the order of appends, and its update waits for the standby.
CREATE TABLE log_head(
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  position bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head(position) VALUES (0);

-- The parts of requests that many events share, each stored once. The other parts are in events.variables.
CREATE TABLE envelopes(
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source text NOT NULL,
  envelope bytea NOT NULL          -- JSON, as in the events that carry it themselves
);
-- By hash, because a long value fits no index.
CREATE UNIQUE INDEX envelopes_differ ON envelopes(sha256(envelope));

-- Columns of fixed width first, so that none is padded.
CREATE TABLE events(
  position bigint NOT NULL PRIMARY KEY,
  received_at bigint NOT NULL,     -- microseconds since 1970, UTC
  event_id uuid NOT NULL,
  envelope integer NOT NULL,       -- 0 if the envelope is in variables
  salt bytea,                      -- 16 random bytes; NULL if the content has been erased
  variables bytea NOT NULL,        -- the rest of the URL, the notes, and the headers that differ
  body bytea NOT NULL
) PARTITION BY RANGE (position);

-- The hashes that replace the content of erased events, so that the log can still be verified.
CREATE TABLE erased(
  position bigint PRIMARY KEY,
  message bytea NOT NULL,          -- the hash of its account and message: 32 bytes
  content bytea NOT NULL,          -- the hash of its content: 32 bytes
  erased_by bigint NOT NULL        -- the position of the erasure, which is a later event
);

CREATE FUNCTION log_is_only_appended_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log is only appended to';
END $$;

-- The only change allowed is that an erasure removes an event's content.
CREATE FUNCTION events_change_by_erasure_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.position IS DISTINCT FROM OLD.position
    OR NEW.event_id IS DISTINCT FROM OLD.event_id
    OR NEW.received_at IS DISTINCT FROM OLD.received_at
    OR length(OLD.salt) IS DISTINCT FROM 16
    OR NEW.salt IS NOT NULL
    OR NEW.body IS DISTINCT FROM ''::bytea
    OR NOT EXISTS (SELECT 1 FROM erased WHERE position = OLD.position)
  THEN
    RAISE EXCEPTION 'the log is only appended to';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION events_are_numbered_without_gaps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  added record;
BEGIN
  SELECT count(*) AS events, min(position) AS first, max(position) AS last INTO added FROM new_events;
  IF added.events > 0 AND (
    added.last - added.first + 1 <> added.events
    OR added.last <> (SELECT position FROM log_head)
    OR added.first > 1 AND NOT EXISTS (SELECT 1 FROM events WHERE position = added.first - 1)
  ) THEN
    RAISE EXCEPTION 'events take the positions after the head';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION erased_events_have_an_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (
    coalesce(NEW.erased_by > NEW.position, false)
    AND length(NEW.message) = 32
    AND length(NEW.content) = 32
    AND EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
    AND (
      SELECT source FROM events JOIN envelopes ON id = events.envelope WHERE position = NEW.erased_by
    ) IS NOT DISTINCT FROM 'erasure'
    AND (
      SELECT source FROM events JOIN envelopes ON id = events.envelope WHERE position = NEW.position
    ) IS DISTINCT FROM 'erasure'
  ) THEN
    RAISE EXCEPTION 'only a later erasure erases an event, and not another erasure';
  END IF;
  RETURN NEW;
END $$;

-- Triggers for each row are inherited by partitions; those on TRUNCATE are not.
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
  FOR EACH ROW EXECUTE FUNCTION events_change_by_erasure_only();
CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
  FOR EACH ROW EXECUTE FUNCTION log_is_only_appended_to();
CREATE TRIGGER events_are_never_emptied BEFORE TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION log_is_only_appended_to();
CREATE TRIGGER events_have_no_gaps AFTER INSERT ON events
  REFERENCING NEW TABLE AS new_events
  FOR EACH STATEMENT EXECUTE FUNCTION events_are_numbered_without_gaps();

CREATE TRIGGER envelopes_never_change BEFORE DELETE OR UPDATE ON envelopes
  FOR EACH ROW EXECUTE FUNCTION log_is_only_appended_to();
CREATE TRIGGER envelopes_are_never_emptied BEFORE TRUNCATE ON envelopes
  FOR EACH STATEMENT EXECUTE FUNCTION log_is_only_appended_to();

CREATE TRIGGER erased_events_are_checked BEFORE INSERT ON erased
  FOR EACH ROW EXECUTE FUNCTION erased_events_have_an_erasure();
CREATE TRIGGER erased_events_never_change BEFORE DELETE OR UPDATE ON erased
  FOR EACH ROW EXECUTE FUNCTION log_is_only_appended_to();
CREATE TRIGGER erased_events_are_never_emptied BEFORE TRUNCATE ON erased
  FOR EACH STATEMENT EXECUTE FUNCTION log_is_only_appended_to();

CREATE FUNCTION head_never_moves_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'UPDATE' OR NEW.position < OLD.position THEN
    RAISE EXCEPTION 'the head of the log never moves back';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER head_never_moves_back BEFORE INSERT OR DELETE OR UPDATE ON log_head
  FOR EACH ROW EXECUTE FUNCTION head_never_moves_back();
CREATE TRIGGER head_is_never_emptied BEFORE TRUNCATE ON log_head
  FOR EACH STATEMENT EXECUTE FUNCTION log_is_only_appended_to();

-- Without ALWAYS, a session that poses as a replica would not fire them.
ALTER TABLE events ENABLE ALWAYS TRIGGER events_never_change;
ALTER TABLE events ENABLE ALWAYS TRIGGER events_are_never_removed;
ALTER TABLE events ENABLE ALWAYS TRIGGER events_are_never_emptied;
ALTER TABLE events ENABLE ALWAYS TRIGGER events_have_no_gaps;
ALTER TABLE envelopes ENABLE ALWAYS TRIGGER envelopes_never_change;
ALTER TABLE envelopes ENABLE ALWAYS TRIGGER envelopes_are_never_emptied;
ALTER TABLE erased ENABLE ALWAYS TRIGGER erased_events_are_checked;
ALTER TABLE erased ENABLE ALWAYS TRIGGER erased_events_never_change;
ALTER TABLE erased ENABLE ALWAYS TRIGGER erased_events_are_never_emptied;
ALTER TABLE log_head ENABLE ALWAYS TRIGGER head_never_moves_back;
ALTER TABLE log_head ENABLE ALWAYS TRIGGER head_is_never_emptied;

-- Creates the partitions for the positions up to twenty million after this one. There is no default partition:
-- it would take the rows of a missing one, and then prevent it. Only the owner can create partitions, so the
-- server's role gets the right to call this function.
CREATE FUNCTION create_partitions(head bigint) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  events_each CONSTANT bigint := 10000000;
  partition text;
BEGIN
  FOR number IN head / events_each .. head / events_each + 2 LOOP
    partition := 'events_' || number;
    CONTINUE WHEN to_regclass(partition) IS NOT NULL;
    EXECUTE format(
      'CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%s) TO (%s)',
      partition, number * events_each, (number + 1) * events_each
    );
    EXECUTE format(
      'CREATE TRIGGER events_are_never_emptied BEFORE TRUNCATE ON %I
         FOR EACH STATEMENT EXECUTE FUNCTION log_is_only_appended_to()',
      partition
    );
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER events_never_change', partition);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER events_are_never_removed', partition);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER events_are_never_emptied', partition);
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION create_partitions(bigint) FROM PUBLIC;

SELECT create_partitions(0);

-- Which set of views is in use, and how far each has read: each set is a schema, and a row here.
CREATE TABLE projections(
  views text PRIMARY KEY,          -- the name of the schema
  in_use boolean NOT NULL,
  ledger_id uuid NOT NULL,
  generation uuid NOT NULL,        -- each rebuild has a new one
  rule text NOT NULL,
  position bigint NOT NULL,
  event_id uuid,                   -- of the event at that position
  right_edge bytea NOT NULL,       -- the complete subtrees of the tree up to that position, from left
                                   -- to right: 32 bytes each
  first_real bigint NOT NULL,      -- position of the first event that is not simulated; 0 if none
  last_simulated bigint NOT NULL,  -- position of the last simulated event; 0 if none
  indexed_tags text,               -- the names of the indexed tags, a JSON array; NULL if all
  format text NOT NULL             -- the hash of the statements that made the schema
) WITH (fillfactor = 10);
CREATE UNIQUE INDEX one_set_is_in_use ON projections(in_use) WHERE in_use;

-- The servers that share the ledger, while they run. Times are those of the database's clock.
CREATE TABLE nodes(
  node uuid PRIMARY KEY,           -- a new one for each start
  name text NOT NULL,
  version text NOT NULL,
  rule text NOT NULL,              -- the same for all of them, as are the tags
  indexed_tags text,               -- as in projections
  seen_at timestamptz NOT NULL     -- its last report
);

-- The one that does what must not be done twice.
CREATE TABLE lead(
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  node uuid,
  until timestamptz                -- NULL if nobody leads
);
INSERT INTO lead DEFAULT VALUES;

-- Small values that belong to the ledger, but not to its log.
CREATE TABLE kept(
  name text PRIMARY KEY,
  value bytea NOT NULL
);

-- Idempotency keys of requests to Twilio. The evidence of a request is its intent in the log.
CREATE TABLE claims(
  key text PRIMARY KEY,
  claimed_at bigint NOT NULL,      -- microseconds since 1970, UTC
  request_hash text NOT NULL,
  outcome bytea                    -- NULL while the request is in flight
);
