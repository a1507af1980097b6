-- What a request in doubt carried of the dialler's side: where the CRM turns out to have it, the trail must name it.
ALTER TABLE write_backs ADD COLUMN carrying TEXT CHECK (carrying IS NULL OR json_valid(carrying)); -- JSON: field -> the CRM's name
