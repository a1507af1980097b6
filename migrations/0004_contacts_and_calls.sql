-- What the dialler showed: contacts, their calls, and when to look again.

-- A row is written when the contact changes, not when it is seen: that a complete sweep listed it is known
-- from its not being asked about (asked_at). Touching every row would cost a sweep 200,000 writes for nothing.
CREATE TABLE contacts (
    contact_id   INTEGER PRIMARY KEY,
    campaign_id  INTEGER,
    user_data    TEXT,
    folded       TEXT,
    face         BLOB,                      -- of UserData, campaign and numbers: what this row and its numbers hold
    fingerprint  BLOB,                      -- of the dialler-owned fields; stored with what its read brought
    tries        INTEGER NOT NULL DEFAULT 0,
    result_code  INTEGER,
    seen_seq     INTEGER NOT NULL,          -- read order of the read this content comes from
    seen_at      TEXT NOT NULL,
    reset_at     TEXT,                      -- our last reset of it
    read_at      TEXT,                      -- when its history was last read
    active_at    TEXT,                      -- its newest call or result
    audit_at     TEXT,                      -- when the rolling audit reads it at the latest
    asked_at     TEXT,                      -- first single read that did not find it
    gone_at      TEXT                       -- confirmed gone by a second one
) STRICT;
CREATE INDEX contacts_campaign ON contacts (campaign_id, contact_id) WHERE gone_at IS NULL;
CREATE INDEX contacts_folded ON contacts (folded) WHERE folded IS NOT NULL;
CREATE INDEX contacts_audit ON contacts (campaign_id, audit_at) WHERE gone_at IS NULL;

-- Every contact that a sweep saw, by its numbers, ours or not: a block on a number finds them all.
CREATE TABLE contact_numbers (
    number     TEXT NOT NULL,               -- E.164
    contact_id INTEGER NOT NULL REFERENCES contacts (contact_id),
    PRIMARY KEY (number, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_numbers_by_contact ON contact_numbers (contact_id);

CREATE TABLE sweeps (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER,                    -- the harvest it belongs to
    campaign_id INTEGER,                    -- NULL: the whole account
    began_seq   INTEGER NOT NULL,
    began_at    TEXT NOT NULL,
    ended_at    TEXT,
    complete    INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    contacts    INTEGER NOT NULL DEFAULT 0,
    repeats     INTEGER NOT NULL DEFAULT 0, -- ids that the list named more than once
    bad         INTEGER NOT NULL DEFAULT 0, -- elements of the list that could not be read
    carries_result INTEGER,                 -- whether the list carries the current result code; NULL: empty list
    missing     INTEGER NOT NULL DEFAULT 0, -- known contacts that the complete list did not name
    requests_changed INTEGER NOT NULL DEFAULT 0, -- history requests for contacts that changed,
    requests_due   INTEGER NOT NULL DEFAULT 0,   -- for the rest of the due list,
    requests_audit INTEGER NOT NULL DEFAULT 0,   -- for the rolling audit,
    requests_single INTEGER NOT NULL DEFAULT 0,  -- and single reads of contacts that were missing
    read_changed INTEGER NOT NULL DEFAULT 0, -- contacts read by these requests
    read_due    INTEGER NOT NULL DEFAULT 0,
    read_audit  INTEGER NOT NULL DEFAULT 0,
    found_by_audit INTEGER NOT NULL DEFAULT 0, -- calls that the ladder had missed: zero in a healthy house
    not_adding_up INTEGER NOT NULL DEFAULT 0,  -- contacts read whose rows and tries disagree
    remark      TEXT                        -- what a person should know: the brake
) STRICT;
CREATE INDEX sweeps_campaign ON sweeps (campaign_id, id);
CREATE INDEX sweeps_run ON sweeps (run_id);

CREATE TABLE calls (
    history_id    INTEGER PRIMARY KEY,      -- DiallerContactsHistoryID
    revision      INTEGER NOT NULL DEFAULT 1, -- raised each time the content changes
    contact_id    INTEGER NOT NULL,
    link_id       INTEGER REFERENCES links (id),
    campaign_id   INTEGER,
    hash          BLOB NOT NULL,            -- of the text as received
    row           TEXT NOT NULL CHECK (json_valid(row)),
    started_text  TEXT,                     -- dtCallStart as received
    started_at    TEXT,                     -- resolved, UTC
    ended_at      TEXT,
    created_at    TEXT,                     -- dtCreatedDiallerContactsHistory, resolved, UTC
    resolved      TEXT CHECK (resolved IN ('plain', 'offset') OR resolved IN ('by_row', 'by_order')
                                  OR resolved IN ('first', 'gap')),
                                            -- how: the most doubtful of the row's times
    outbound      INTEGER,
    test          INTEGER,
    number        TEXT,                     -- PhoneNumber as received
    result_code   INTEGER,                  -- DiallerCampaignsResultCodesID
    result_type   INTEGER,                  -- DiallerResultCodesTypesID
    open          INTEGER NOT NULL DEFAULT 0 CHECK (open IN (0, 1)), -- no result or no end yet: read again
    no_result_given INTEGER NOT NULL DEFAULT 0 CHECK (no_result_given IN (0, 1)),
    first_seen_at TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    run_id        INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_contact ON calls (contact_id, started_at);
CREATE INDEX calls_link ON calls (link_id, started_at);
CREATE INDEX calls_open ON calls (contact_id) WHERE open = 1;
CREATE INDEX calls_campaign ON calls (campaign_id, history_id);
CREATE INDEX calls_started ON calls (started_at);

CREATE TABLE call_revisions (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    revision   INTEGER NOT NULL,
    row        TEXT NOT NULL,
    seen_at    TEXT NOT NULL,
    run_id     INTEGER NOT NULL,
    PRIMARY KEY (history_id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE result_codes (
    campaign_id INTEGER NOT NULL,
    code        INTEGER NOT NULL,
    name        TEXT,
    export_key  TEXT,
    done        INTEGER,
    aborted     INTEGER,
    delay       INTEGER,
    appointment INTEGER,
    first_seen  TEXT NOT NULL,
    last_seen   TEXT NOT NULL,
    PRIMARY KEY (campaign_id, code)
) STRICT, WITHOUT ROWID;

-- When a contact's history is read again, and why (semantics 1).
CREATE TABLE harvest_due (
    contact_id INTEGER NOT NULL,
    reason     TEXT NOT NULL CHECK (reason IN ('changed', 'ladder') OR reason IN ('waiting', 'ours')
                                              OR reason IN ('hint', 'sum') OR reason = 'missing'),
    at         TEXT NOT NULL,
    since      TEXT NOT NULL,               -- what the ladder counts from
    fingerprint BLOB,                       -- 'changed': to be stored with what the read brings
    failed     INTEGER NOT NULL DEFAULT 0,  -- reads in a row that failed for this contact alone
    PRIMARY KEY (contact_id, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX harvest_due_at ON harvest_due (reason, at);
