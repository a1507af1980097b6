-- What only a changed condition locks, additions and changes may have a limit by the route's size, and what nobody may hold up
-- counts in no day's limit of what is told.
ALTER TABLE routes ADD COLUMN max_locked_by_scope_percent INTEGER;
ALTER TABLE routes ADD COLUMN max_new_percent INTEGER;
ALTER TABLE routes ADD COLUMN max_changed_percent INTEGER;
ALTER TABLE write_back_attempts ADD COLUMN of_objection INTEGER NOT NULL DEFAULT 0 CHECK (of_objection IN (0, 1));
DROP INDEX write_back_attempts_done;
CREATE INDEX write_back_attempts_done ON write_back_attempts (route, at) WHERE outcome = 'done' AND of_objection = 0;
