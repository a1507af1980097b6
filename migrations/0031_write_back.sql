-- Results go back into the CRM: one row per call that is told, one per record whose fields follow from its calls.

ALTER TABLE routes ADD COLUMN write_back_since TEXT;      -- when it was first switched on: earlier calls are not told
ALTER TABLE routes ADD COLUMN write_back_shapes TEXT      -- what a call becomes, by the config last seen
    CHECK (write_back_shapes IN ('activities', 'fields', 'both'));
ALTER TABLE routes ADD COLUMN write_back_approved TEXT NOT NULL DEFAULT ''; -- what waited then may go, however many

CREATE TABLE write_backs (
    id         INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('activity', 'fields')),
    link_id    INTEGER NOT NULL REFERENCES links (id),
    history_id INTEGER REFERENCES calls (history_id),     -- the call that the activity tells of
    wanted     INTEGER NOT NULL,                          -- the call's revision; of fields, a number that goes up
    sent       INTEGER,                                   -- what the request under way, or in doubt, tells
    written    INTEGER,                                   -- what the CRM was last told
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'sending') OR state IN ('uncertain', 'done')
                                              OR state IN ('held', 'never') OR state IN ('parked', 'gone')),
    code       TEXT,                                      -- why it is held, parked, gone or never told
    params     TEXT NOT NULL DEFAULT '{}',
    activity   TEXT,                                      -- the CRM's id of it, once known
    sending    BLOB,                                      -- digest of the values under way
    sending_values TEXT,                                  -- JSON of them, for the trail
    digest     BLOB,                                      -- digest of the values last told
    rules      TEXT,                                      -- revision of the mapping that held it
    tries      INTEGER NOT NULL DEFAULT 0,                -- since something last went well
    due_at     TEXT NOT NULL,                             -- waiting: from when; uncertain: when to ask
    waits_since TEXT NOT NULL,                            -- when there last came to be something to tell
    sent_at    TEXT,
    changed_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    CHECK ((kind = 'activity') = (history_id IS NOT NULL)),
    CHECK (state NOT IN ('sending', 'uncertain') OR sent IS NOT NULL),
    CHECK (state NOT IN ('held', 'never') OR code IS NOT NULL),
    CHECK (state NOT IN ('parked', 'gone') OR code IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX write_backs_call ON write_backs (history_id) WHERE history_id IS NOT NULL;
CREATE UNIQUE INDEX write_backs_fields ON write_backs (link_id) WHERE kind = 'fields';
CREATE INDEX write_backs_link ON write_backs (link_id);
CREATE INDEX write_backs_state ON write_backs (state, due_at);

-- Every request of a write-back, as it ended; no values, the trail has those.
CREATE TABLE write_back_attempts (
    id            INTEGER PRIMARY KEY,
    write_back_id INTEGER NOT NULL REFERENCES write_backs (id),
    route         TEXT NOT NULL,
    run_id        INTEGER NOT NULL,
    at            TEXT NOT NULL,
    tells         INTEGER NOT NULL,                       -- the revision told
    outcome       TEXT NOT NULL,
    detail        TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX write_back_attempts_of ON write_back_attempts (write_back_id, at);
CREATE INDEX write_back_attempts_route ON write_back_attempts (route, id);

ALTER TABLE changes ADD COLUMN write_back_id INTEGER;     -- on the CRM's side, in place of operation_id

-- A run of the fifth job has a balance like the others. A CHECK cannot be altered, so the table is made anew.
DROP VIEW v_runs;
CREATE TABLE runs_anew (
    id          INTEGER PRIMARY KEY,
    job         TEXT NOT NULL CHECK (job IN ('pull', 'push', 'harvest', 'settle', 'write_back')),
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
    -- push, and write-back
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
    noted       INTEGER NOT NULL DEFAULT 0, -- new notes; beside the balance
    remark      TEXT,                       -- what went on beside it (a companion that was not taken)
    pass_id     INTEGER REFERENCES full_passes (id),
    -- write-back
    held        INTEGER NOT NULL DEFAULT 0, -- cannot be told yet: no mapping of its result, no end
    gone        INTEGER NOT NULL DEFAULT 0, -- the record no longer exists in the CRM
    -- One equation per job; a finished run that does not add up cannot be stored.
    CHECK (state <> 'done' OR job <> 'pull' OR
           records_read = repeats + stale + unchanged + queued + adopted + skipped + blocked + parked),
    CHECK (state <> 'done' OR job <> 'push' OR
           taken = done + refused + uncertain + superseded + parked + put_back),
    CHECK (state <> 'done' OR job <> 'harvest' OR
           listed = unchanged + due + foreign_contacts),
    CHECK (state <> 'done' OR job <> 'write_back' OR
           taken = done + unchanged + held + refused + uncertain + parked + gone + put_back),
    CHECK ((finished_at IS NULL) = (state = 'running'))
) STRICT;
INSERT INTO runs_anew (id, job, route, campaign_id, cause, started_at, finished_at, state, error, requests, bytes,
        records_read, repeats, stale, unchanged, queued, adopted, skipped, blocked, parked, parked_new, taken, done,
        refused, uncertain, superseded, put_back, listed, due, foreign_contacts, calls_new, calls_changed, noted, remark,
        pass_id)
    SELECT id, job, route, campaign_id, cause, started_at, finished_at, state, error, requests, bytes,
        records_read, repeats, stale, unchanged, queued, adopted, skipped, blocked, parked, parked_new, taken, done,
        refused, uncertain, superseded, put_back, listed, due, foreign_contacts, calls_new, calls_changed, noted, remark,
        pass_id
    FROM runs;
DROP TABLE runs;
ALTER TABLE runs_anew RENAME TO runs;
CREATE INDEX runs_by_job ON runs (job, route, started_at);

CREATE VIEW v_runs AS
SELECT r.id AS run,
       r.job,
       r.route,
       r.campaign_id AS campaign,
       r.cause,
       r.state,
       r.started_at AS started,
       r.finished_at AS finished,
       round((julianday(r.finished_at) - julianday(r.started_at)) * 86400, 1) AS seconds,
       CASE r.job WHEN 'pull' THEN r.records_read WHEN 'harvest' THEN r.listed
                  WHEN 'push' THEN r.taken WHEN 'write_back' THEN r.taken END AS read,
       r.unchanged,
       r.queued,
       r.adopted,
       r.skipped,
       r.blocked,
       r.parked,
       r.parked_new,
       r.noted,
       r.due,
       r.foreign_contacts,
       r.calls_new,
       r.calls_changed,
       r.held,
       r.gone,
       r.requests,
       s.requests_changed,
       s.requests_due,
       s.requests_audit,
       s.requests_likely,
       s.requests_elsewhere,
       s.requests_single,
       s.found_by_audit,
       s.not_adding_up,
       s.missing,
       s.held AS missing_held,
       r.error,
       coalesce(r.remark, s.remark) AS remark
FROM runs r
LEFT JOIN sweeps s ON s.run_id = r.id;

CREATE VIEW v_write_backs AS
SELECT w.id AS write_back,
       w.kind AS what,
       l.route,
       l.record_id AS record,
       l.user_data,
       w.history_id AS call,
       k.started_at AS started,
       w.state,
       w.code AS why,
       w.params AS why_details,
       w.activity,
       w.wanted,
       w.written,
       w.tries,
       w.due_at AS due,
       w.sent_at AS sent,
       w.changed_at AS changed
FROM write_backs w
JOIN links l ON l.id = w.link_id
LEFT JOIN calls k ON k.history_id = w.history_id;

-- What a person said of write-backs by hand, and why.
CREATE TABLE write_back_words (
    id            INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    verb          TEXT NOT NULL CHECK (verb IN ('approve', 'retry', 'discard')),
    route         TEXT NOT NULL,
    write_back_id INTEGER,
    who           TEXT NOT NULL,
    text          TEXT NOT NULL
) STRICT;
