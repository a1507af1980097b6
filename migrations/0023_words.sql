-- What people said by hand, and why, kept for good; and pilots that end by themselves.

ALTER TABLE routes ADD COLUMN pilot_until TEXT;        -- a pilot ends then
ALTER TABLE routes ADD COLUMN pilot_after TEXT         -- what it goes back to
    CHECK (pilot_after IN ('dry', 'on'));

-- A word about a route (no record), a record, or an operation.
CREATE TABLE words (
    id           INTEGER PRIMARY KEY,
    at           TEXT NOT NULL,
    verb         TEXT NOT NULL CHECK (verb IN ('dry', 'pilot', 'on', 'paused', 'send', 'retry', 'discard')),
    route        TEXT,
    record_id    TEXT,
    operation_id INTEGER,
    until        TEXT,                                 -- a state's end, as it was said
    who          TEXT NOT NULL,
    text         TEXT NOT NULL                         -- the reason given; empty where none was
) STRICT;
CREATE INDEX words_by_record ON words (route, record_id, at);
CREATE INDEX words_by_operation ON words (operation_id) WHERE operation_id IS NOT NULL;
CREATE TRIGGER words_are_not_edited BEFORE UPDATE ON words
BEGIN SELECT RAISE (ABORT, 'the trail is append-only'); END;
CREATE TRIGGER words_are_not_deleted BEFORE DELETE ON words
BEGIN SELECT RAISE (ABORT, 'the trail is append-only'); END;

-- Of what was said before, the last word on each route is known.
INSERT INTO words (at, verb, route, until, who, text)
SELECT state_since, state, route, state_until, state_who, state_text FROM routes;

CREATE VIEW v_words AS
SELECT at, verb AS said, route, record_id AS record, operation_id AS operation, until, who, text AS why FROM words
UNION ALL
SELECT since, CASE even_locks WHEN 1 THEN 'freeze, locks too' ELSE 'freeze' END, NULL, NULL, NULL, until, who, text
FROM freezes
UNION ALL
SELECT ended_at, 'thaw', NULL, NULL, NULL, NULL, ended_who, ended_text FROM freezes WHERE ended_at IS NOT NULL
UNION ALL
SELECT decided_at, state || ' wave ' || id, route, NULL, NULL, NULL, who, text FROM waves WHERE decided_at IS NOT NULL;

-- How many were changed since the day began.
CREATE INDEX operations_changes ON operations (leased_at)
    WHERE kind IN ('update', 'unlock') AND wave_id IS NOT NULL AND leased_at IS NOT NULL;
