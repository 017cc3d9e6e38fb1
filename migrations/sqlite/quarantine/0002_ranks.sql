-- What is evicted last. An older file's requests rank lowest: nobody has noted what they are.

ALTER TABLE requests ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;  -- 2: its signature fits, or would fit;
                                                                  -- 1: it may be a configured account's own
ALTER TABLE requests ADD COLUMN whole INTEGER NOT NULL DEFAULT 1; -- 0: its body was not kept

-- The order in which room is made: by rank, then by number, with which every index ends.
CREATE INDEX ranks ON requests(rank);

-- What came to a path that is no callback path is counted for `doctor`.
CREATE INDEX rejected ON requests(reason) WHERE reason = 'path';

ALTER TABLE kept ADD COLUMN recognised INTEGER NOT NULL DEFAULT 0; -- of rank 2

CREATE TRIGGER recognised_inserted AFTER INSERT ON requests WHEN new.rank = 2 BEGIN
  UPDATE kept SET recognised = recognised + 1;
END;
CREATE TRIGGER recognised_deleted AFTER DELETE ON requests WHEN old.rank = 2 BEGIN
  UPDATE kept SET recognised = recognised - 1;
END;
