-- The rank of a request: the lowest are deleted first.
-- 2: the signature is valid, or will be once the cause of the rejection is fixed.
-- 1: the request may be from a configured account.
-- 0: any other, and those stored before this migration, whose rank is not known.
ALTER TABLE requests ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;

ALTER TABLE requests ADD COLUMN whole INTEGER NOT NULL DEFAULT 1; -- 0 if its body is not stored

-- Requests are deleted by rank, then by number, which SQLite appends to every index.
CREATE INDEX ranks ON requests(rank);

-- `doctor` counts the requests whose path is not a callback path.
CREATE INDEX rejected ON requests(reason) WHERE reason = 'path';

ALTER TABLE kept ADD COLUMN recognised INTEGER NOT NULL DEFAULT 0; -- the number of requests of rank 2

CREATE TRIGGER recognised_inserted AFTER INSERT ON requests WHEN new.rank = 2 BEGIN
  UPDATE kept SET recognised = recognised + 1;
END;
CREATE TRIGGER recognised_deleted AFTER DELETE ON requests WHEN old.rank = 2 BEGIN
  UPDATE kept SET recognised = recognised - 1;
END;
