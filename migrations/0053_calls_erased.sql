-- Calls older than their retention lose texts and numbers. What is left of such a row is what its hash covers, so that the
-- dialler's naming it once more is no change, and nothing is told anew.
ALTER TABLE calls ADD COLUMN erased_at TEXT;
