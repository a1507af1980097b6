-- How far an operation's wait for its contact's calls has come (how the history looked, since when, and whether the wait was over): a
-- reset waits as a deletion does, and its `before` is written anew at each lease.
ALTER TABLE operations ADD COLUMN calls_rest TEXT;
UPDATE operations SET calls_rest = before, before = NULL WHERE kind = 'delete' AND before ->> '$.picture' IS NOT NULL;
-- A reset that is on its way or in doubt was sent without such a wait: it is settled as one that was over.
UPDATE operations SET calls_rest = '{"over":1}'
WHERE kind = 'reset' AND code <> 'by_hand' AND state IN ('sending', 'uncertain');
