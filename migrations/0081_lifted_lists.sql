-- How often blocks of a list were lifted by source and time: what was being read of it meanwhile is read once more, because what it
-- found blocked may be free by now.
ALTER TABLE block_files ADD COLUMN lifts INTEGER NOT NULL DEFAULT 0;
