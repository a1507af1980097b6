-- An agent's edit that the CRM was not told of yet outlives the contact on which it was seen.
ALTER TABLE edits ADD COLUMN before INTEGER NOT NULL DEFAULT 0 CHECK (before IN (0, 1)); -- 1: the link has another contact since
