-- What ran, for which route, and what it counted; the route's own facts.
-- Times everywhere: TEXT, UTC, microseconds, 'YYYY-MM-DDTHH:MM:SS.ffffffZ', so that they sort and read.
-- A column's words: lists of two where a table is written often. For a longer one SQLite makes a temporary table at each
-- write, which was a seventh of the time of an import.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES
    ('sequence', '1'),          -- read order: every remote read and write takes a number
    ('blocks_epoch', '1');      -- raised by every change of the block list

CREATE TABLE routes (
    route         TEXT PRIMARY KEY,
    client        TEXT NOT NULL,
    crm           TEXT NOT NULL,
    object        TEXT NOT NULL,
    campaign_id   INTEGER,                  -- pinned once resolved
    campaign_name TEXT,
    state         TEXT NOT NULL CHECK (state IN ('dry', 'on', 'paused')),
    state_since   TEXT NOT NULL,
    state_who     TEXT NOT NULL,
    state_text    TEXT NOT NULL,            -- the reason a person gave
    stopped       TEXT,                     -- a systemic failure stopped it: the reason's code
    stopped_params TEXT NOT NULL DEFAULT '{}',
    stopped_since TEXT,
    revision      TEXT,                     -- of mapping, conditions, connector
    decided_on    TEXT                      -- the local day of the last daily decision ('today')
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    route    TEXT PRIMARY KEY REFERENCES routes (route),
    position TEXT NOT NULL,                 -- everything modified before it was stored
    moved_at TEXT NOT NULL,
    run_id   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    job         TEXT NOT NULL CHECK (job IN ('pull', 'push', 'harvest', 'settle')),
    route       TEXT,                       -- NULL for a harvest, whose unit is the campaign
    campaign_id INTEGER,
    cause       TEXT NOT NULL,              -- schedule | hand | start | hint
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    state       TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted')),
    error       TEXT,                       -- what failed and what to do; no personal data
    requests    INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER NOT NULL DEFAULT 0,
    -- pull
    records_read INTEGER NOT NULL DEFAULT 0,
    repeats     INTEGER NOT NULL DEFAULT 0, -- the same record twice in this run
    stale       INTEGER NOT NULL DEFAULT 0, -- older than the version last seen
    unchanged   INTEGER NOT NULL DEFAULT 0,
    queued      INTEGER NOT NULL DEFAULT 0,
    adopted     INTEGER NOT NULL DEFAULT 0,
    skipped     INTEGER NOT NULL DEFAULT 0,
    blocked     INTEGER NOT NULL DEFAULT 0,
    parked      INTEGER NOT NULL DEFAULT 0,
    parked_new  INTEGER NOT NULL DEFAULT 0, -- of these, not parked before (exit status 3)
    -- push
    taken       INTEGER NOT NULL DEFAULT 0,
    done        INTEGER NOT NULL DEFAULT 0,
    refused     INTEGER NOT NULL DEFAULT 0,
    uncertain   INTEGER NOT NULL DEFAULT 0,
    superseded  INTEGER NOT NULL DEFAULT 0,
    put_back    INTEGER NOT NULL DEFAULT 0, -- leased, not sent, waiting again
    -- harvest
    listed      INTEGER NOT NULL DEFAULT 0,
    due         INTEGER NOT NULL DEFAULT 0,
    foreign_contacts INTEGER NOT NULL DEFAULT 0,
    calls_new   INTEGER NOT NULL DEFAULT 0,
    calls_changed INTEGER NOT NULL DEFAULT 0,
    -- One equation per job; a finished run that does not add up cannot be stored.
    CHECK (state <> 'done' OR job <> 'pull' OR
           records_read = repeats + stale + unchanged + queued + adopted + skipped + blocked + parked),
    CHECK (state <> 'done' OR job <> 'push' OR
           taken = done + refused + uncertain + superseded + parked + put_back),
    CHECK (state <> 'done' OR job <> 'harvest' OR
           listed = unchanged + due + foreign_contacts),
    CHECK ((finished_at IS NULL) = (state = 'running'))
) STRICT;
CREATE INDEX runs_by_job ON runs (job, route, started_at);

CREATE TABLE hints (
    id        INTEGER PRIMARY KEY,
    route     TEXT NOT NULL,
    record_id TEXT NOT NULL,
    source    TEXT NOT NULL,
    at        TEXT NOT NULL,
    taken_at  TEXT
) STRICT;
CREATE INDEX hints_waiting ON hints (route) WHERE taken_at IS NULL;
