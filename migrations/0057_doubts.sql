-- A request that certainly did not arrive is a try, and no doubt: only those that may have happened are counted here, since
-- something last went well.
ALTER TABLE write_backs ADD COLUMN doubts INTEGER NOT NULL DEFAULT 0;
UPDATE write_backs SET doubts = tries WHERE state IN ('sending', 'uncertain');
