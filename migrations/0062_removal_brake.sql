-- The brake of removals, beside the one per run: deletions and resets within a day, and in a hundred of the route's contacts.
ALTER TABLE routes ADD COLUMN max_deleted_per_day INTEGER;
ALTER TABLE routes ADD COLUMN max_deleted_percent INTEGER;
