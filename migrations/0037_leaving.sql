-- What a route does with the contacts of records that leave.

ALTER TABLE routes ADD COLUMN max_deleted_per_run INTEGER;   -- more deletions than that in one run need approval
-- Whether a block does more than lock: then the record is decided anew when it is blocked.
ALTER TABLE routes ADD COLUMN leaves_by_block INTEGER NOT NULL DEFAULT 0 CHECK (leaves_by_block IN (0, 1));
