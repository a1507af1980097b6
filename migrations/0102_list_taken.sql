-- A block list is taken number by number, those first that somebody known bears, while the locks of these leave already. Until it
-- was taken whole nobody of the client becomes callable: who stands further down in it must not be called either.
ALTER TABLE block_files ADD COLUMN taking_since TEXT;
