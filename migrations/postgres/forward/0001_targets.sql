-- How far each target of forwarding has read the log, and the events that it has not accepted yet.
-- Times are microseconds since 1970, UTC.

CREATE TABLE targets(
  name           text   NOT NULL PRIMARY KEY,
  ledger_id      uuid   NOT NULL,            -- the log that was read
  position       bigint NOT NULL,            -- how far it was read
  event_id       uuid,                       -- the event at the position; NULL at position 0
  version        bigint NOT NULL DEFAULT 1,  -- increases when a command changes the state
  failing_since  bigint,                     -- NULL if the last attempt succeeded
  answered_at    bigint,
  answer         text,
  accepted       bigint NOT NULL DEFAULT 0   -- number of events
) WITH (fillfactor = 50);

CREATE TABLE unaccepted(
  target           text    NOT NULL REFERENCES targets(name) ON DELETE CASCADE,
  position         bigint  NOT NULL,
  order_key        bytea   NOT NULL,         -- identifies the message: its events are sent in order
  attempts         integer NOT NULL,
  first_attempt_at bigint,
  due_at           bigint  NOT NULL,
  answered_at      bigint,
  answer           text,
  failed_at        bigint,                   -- NULL while it waits for an attempt or an answer
  PRIMARY KEY (target, position)
);

-- The answers of each hour.
CREATE TABLE answers(
  target        text   NOT NULL REFERENCES targets(name) ON DELETE CASCADE,
  hour          bigint NOT NULL,             -- hours since 1970
  answer        text   NOT NULL,
  status        text   NOT NULL,             -- the status that the events report; empty if none
  attempts      bigint NOT NULL,
  last_position bigint NOT NULL,
  PRIMARY KEY (target, hour, answer, status)
);
