-- Requests of a configured account whose cause is known outlast all others. An older file's requests
-- count as the others: nobody has noted whether their cause was found or only guessed at.

ALTER TABLE requests ADD COLUMN recognised INTEGER NOT NULL DEFAULT 0; -- 1: its signature would fit
ALTER TABLE requests ADD COLUMN whole INTEGER NOT NULL DEFAULT 1;      -- 0: its body was not kept

-- The order in which room is made: by rank, then by number, which every index ends with.
CREATE INDEX ranks ON requests(recognised);

-- What did not come to a callback path, or not whole, is counted by path for `doctor`.
CREATE INDEX rejected ON requests(reason) WHERE reason = 'path';

ALTER TABLE kept ADD COLUMN recognised INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER recognised_inserted AFTER INSERT ON requests WHEN new.recognised BEGIN
  UPDATE kept SET recognised = recognised + 1;
END;
CREATE TRIGGER recognised_deleted AFTER DELETE ON requests WHEN old.recognised BEGIN
  UPDATE kept SET recognised = recognised - 1;
END;
