-- The rank of a request: the lowest are deleted first.
-- 2: the signature is valid, or will be once the cause of the rejection is fixed.
-- 1: the request may be from a configured account.
-- 0: any other.
ALTER TABLE requests ADD COLUMN rank smallint NOT NULL DEFAULT 0;

ALTER TABLE requests ADD COLUMN whole boolean NOT NULL DEFAULT true; -- false if its body is not stored

-- Requests are deleted by rank, then by number.
CREATE INDEX ranks ON requests(rank, number);

-- `doctor` counts the requests whose path is not a callback path.
CREATE INDEX rejected ON requests(reason) WHERE reason = 'path';

ALTER TABLE quarantine_size ADD COLUMN recognised bigint NOT NULL DEFAULT 0; -- the number of requests of rank 2

-- The bytes of a row, with what a page and the indexes take for it.
CREATE FUNCTION request_bytes(headers bytea, target bytea, body bytea) RETURNS bigint
  LANGUAGE sql IMMUTABLE AS 'SELECT 200 + length(headers) + length(target) + length(body)';

CREATE FUNCTION count_requests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    UPDATE quarantine_size SET
      requests = quarantine_size.requests + added.requests,
      recognised = quarantine_size.recognised + added.recognised,
      bytes = quarantine_size.bytes + added.bytes
    FROM (
      SELECT count(*) AS requests, count(*) FILTER (WHERE rank = 2) AS recognised,
             coalesce(sum(request_bytes(headers, target, body)), 0) AS bytes
      FROM changed
    ) AS added;
  ELSE
    UPDATE quarantine_size SET
      requests = quarantine_size.requests - removed.requests,
      recognised = quarantine_size.recognised - removed.recognised,
      bytes = quarantine_size.bytes - removed.bytes
    FROM (
      SELECT count(*) AS requests, count(*) FILTER (WHERE rank = 2) AS recognised,
             coalesce(sum(request_bytes(headers, target, body)), 0) AS bytes
      FROM changed
    ) AS removed;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER requests_inserted AFTER INSERT ON requests
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_requests();
CREATE TRIGGER requests_deleted AFTER DELETE ON requests
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_requests();
