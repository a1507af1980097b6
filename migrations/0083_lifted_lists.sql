-- How often blocks of a list were lifted by source and time: what was being read of it meanwhile is read once more, because what it
-- found blocked may be free by now.
ALTER TABLE block_files ADD COLUMN lifts INTEGER NOT NULL DEFAULT 0;
-- A source that says the same again keeps its row, and its first time: when it said it last is asked as well before what it said in a
-- time is lifted. NULL: it said it once, as far as is known.
ALTER TABLE blocks ADD COLUMN said_last TEXT;
