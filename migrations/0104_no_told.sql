-- Whether our own telling may be why a record says no in the CRM: what it says then is no word of its own. `told`: it stands there
-- as far as we know; `taken_back`: a person took back what it was told of, and the CRM says so still.
ALTER TABLE write_backs ADD COLUMN no_there TEXT CHECK (no_there IN ('told', 'taken_back'));
-- Since when. A page that was asked for before says nothing of it.
ALTER TABLE write_backs ADD COLUMN no_told_at TEXT;
