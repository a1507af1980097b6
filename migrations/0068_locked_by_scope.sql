-- So many contacts a changed condition may lock in one full pass; more wait for a person.
ALTER TABLE routes ADD COLUMN max_locked_by_scope INTEGER;
