-- Intended remote effects: a row before it is a request.

CREATE TABLE operations (
    id          INTEGER PRIMARY KEY,
    link_id     INTEGER NOT NULL REFERENCES links (id),
    generation  INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('import', 'update') OR kind IN ('lock', 'unlock')
                                              OR kind IN ('reset', 'delete')),
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'sending') OR state IN ('uncertain', 'done')
                                               OR state IN ('refused', 'parked')
                                               OR state IN ('superseded', 'cancelled')),
    code        TEXT NOT NULL,              -- why it is wished: a reason code with parameters
    params      TEXT NOT NULL DEFAULT '{}',
    cause       TEXT NOT NULL,              -- run:ID | person:NAME | gate | settle:ID
    run_id      INTEGER,
    decided_at  TEXT NOT NULL,              -- the CRM's answer the decision rests on
    created_at  TEXT NOT NULL,
    not_before  TEXT NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    contact_id  INTEGER,                    -- the contact it was sent to
    body        TEXT CHECK (body IS NULL OR json_valid(body)), -- as sent; kept 14 days
    sent_seq    INTEGER,
    answered_seq INTEGER,
    leased_at   TEXT,
    settle_at   TEXT,                       -- uncertain: not asked about before
    finished_at TEXT,
    outcome     TEXT,                       -- a reason code: how it ended
    outcome_params TEXT NOT NULL DEFAULT '{}',
    UNIQUE (link_id, generation, kind),
    CHECK (state <> 'uncertain' OR settle_at IS NOT NULL),
    CHECK (state <> 'sending' OR leased_at IS NOT NULL)
) STRICT;
-- What is open, to be counted. By `finished_at`, not by `state`: without statistics the planner would take it for the
-- lane of a link, too.
CREATE INDEX operations_open ON operations (state, kind) WHERE finished_at IS NULL;
-- The queue of everything but locks, in the order in which it is leased.
CREATE INDEX operations_queue ON operations (not_before, id) WHERE state = 'waiting' AND kind <> 'lock';
CREATE INDEX operations_locks ON operations (state, not_before) WHERE kind = 'lock' AND state IN ('waiting', 'uncertain');
CREATE INDEX operations_lane ON operations (link_id, generation);
CREATE INDEX operations_parked ON operations (link_id) WHERE state = 'parked';

CREATE TABLE attempts (
    id           INTEGER PRIMARY KEY,
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    sent_at      TEXT NOT NULL,
    answered_at  TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    status       INTEGER,
    detail       TEXT NOT NULL DEFAULT ''   -- the server's own words: may hold personal data
) STRICT;
CREATE INDEX attempts_by_operation ON attempts (operation_id);

-- Every change dialbridge makes, with what was there before and where that was read.
CREATE TABLE changes (
    id           INTEGER PRIMARY KEY,
    at           TEXT NOT NULL,
    link_id      INTEGER NOT NULL,
    operation_id INTEGER,
    side         TEXT NOT NULL CHECK (side IN ('dialler', 'crm') OR side = 'ledger'),
    field        TEXT NOT NULL,
    before       TEXT,                      -- JSON
    before_from  TEXT NOT NULL,             -- base | answer | none
    after        TEXT,                      -- JSON, as answered
    cause        TEXT NOT NULL
) STRICT;
CREATE INDEX changes_by_link ON changes (link_id, at);
CREATE TRIGGER changes_are_not_edited BEFORE UPDATE ON changes
BEGIN SELECT RAISE (ABORT, 'the trail is append-only'); END;
