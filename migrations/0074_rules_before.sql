-- By which rules (conditions, mapping) a route's records are judged, by which they were before, and how far the pulls had come
-- when these began: whom only the rules would lock waits for a person, whoever left by himself does not.
ALTER TABLE routes ADD COLUMN rules TEXT;
ALTER TABLE routes ADD COLUMN rules_before TEXT;
ALTER TABLE routes ADD COLUMN cursor_before TEXT;
