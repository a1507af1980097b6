-- Pilots; pauses and freezes that end by themselves; what one run or one pass brings as a wave, which waits for a
-- person where it passes the route's limits; full passes with a place of their own.

-- A column's CHECK cannot be changed: the new one takes over the name.
ALTER TABLE routes ADD COLUMN state_wider TEXT NOT NULL DEFAULT 'dry'
    CHECK (state_wider IN ('dry', 'pilot', 'on', 'paused'));
UPDATE routes SET state_wider = state;
ALTER TABLE routes DROP COLUMN state;
ALTER TABLE routes RENAME COLUMN state_wider TO state;

ALTER TABLE routes ADD COLUMN state_until TEXT;        -- a pause ends then
ALTER TABLE routes ADD COLUMN state_after TEXT         -- what a pause goes back to
    CHECK (state_after IN ('dry', 'pilot', 'on'));
ALTER TABLE routes ADD COLUMN harvest_paused INTEGER NOT NULL DEFAULT 0 CHECK (harvest_paused IN (0, 1));
ALTER TABLE routes ADD COLUMN pilot_first INTEGER;     -- the first so many records are the pilot's
ALTER TABLE routes ADD COLUMN max_new_per_run INTEGER; -- as the config of the last start says; NULL: no limit
ALTER TABLE routes ADD COLUMN max_changed_per_run INTEGER;

-- The records that a route in state 'pilot' acts for.
CREATE TABLE pilots (
    route     TEXT NOT NULL REFERENCES routes (route),
    record_id TEXT NOT NULL,
    PRIMARY KEY (route, record_id)
) STRICT, WITHOUT ROWID;

-- A walk over the whole object, beside the ordinary pulls.
CREATE TABLE full_passes (
    id          INTEGER PRIMARY KEY,
    route       TEXT NOT NULL REFERENCES routes (route),
    revision    TEXT NOT NULL,
    why         TEXT NOT NULL CHECK (why IN ('first', 'revision', 'left_dry', 'by_hand', 'weekly')),
    began_at    TEXT NOT NULL,
    token       TEXT,                                  -- where the next page begins; NULL: at the beginning
    pages       INTEGER NOT NULL DEFAULT 0,
    finished_at TEXT,
    state       TEXT NOT NULL CHECK (state IN ('open', 'done', 'replaced')),
    CHECK ((finished_at IS NULL) = (state = 'open'))
) STRICT;
CREATE UNIQUE INDEX full_passes_open ON full_passes (route) WHERE state = 'open';

ALTER TABLE runs ADD COLUMN pass_id INTEGER REFERENCES full_passes (id);

-- What one run, or one full pass, wants to add or to change on a route.
CREATE TABLE waves (
    id         INTEGER PRIMARY KEY,
    route      TEXT NOT NULL REFERENCES routes (route),
    source     TEXT NOT NULL,                          -- run:ID | pass:ID
    kind       TEXT NOT NULL CHECK (kind IN ('new', 'changed')),
    operations INTEGER NOT NULL DEFAULT 0,
    bound      INTEGER NOT NULL,                       -- the limit when it was measured
    since      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'held', 'approved', 'rejected')),
    decided_at TEXT,
    who        TEXT,
    text       TEXT,
    UNIQUE (route, source, kind),
    CHECK ((decided_at IS NULL) = (state IN ('open', 'held')))
) STRICT;
CREATE INDEX waves_held ON waves (route) WHERE state = 'held';

ALTER TABLE operations ADD COLUMN wave_id INTEGER REFERENCES waves (id);
CREATE INDEX operations_of_wave ON operations (wave_id) WHERE wave_id IS NOT NULL AND state = 'waiting';
-- How many were imported since the day began.
CREATE INDEX operations_imports ON operations (leased_at) WHERE kind = 'import' AND leased_at IS NOT NULL;

-- Everything stands still, by a person's word.
CREATE TABLE freezes (
    id         INTEGER PRIMARY KEY,
    since      TEXT NOT NULL,
    until      TEXT,
    even_locks INTEGER NOT NULL CHECK (even_locks IN (0, 1)),
    who        TEXT NOT NULL,
    text       TEXT NOT NULL,
    ended_at   TEXT,
    ended_who  TEXT,
    ended_text TEXT
) STRICT;
CREATE UNIQUE INDEX freezes_open ON freezes ((1)) WHERE ended_at IS NULL;
