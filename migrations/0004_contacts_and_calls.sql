-- What the dialler showed: contacts, their calls, and when to look again.

CREATE TABLE contacts (
    contact_id   INTEGER PRIMARY KEY,
    campaign_id  INTEGER,
    user_data    TEXT,
    folded       TEXT,
    fingerprint  BLOB,                      -- of the dialler-owned fields; stored with what its read brought
    tries        INTEGER NOT NULL DEFAULT 0,
    result_code  INTEGER,
    seen_seq     INTEGER NOT NULL,          -- read order of the read that saw it last
    seen_at      TEXT NOT NULL,
    reset_at     TEXT,                      -- our last reset of it
    read_at      TEXT,                      -- when its history was last read
    audit_at     TEXT,                      -- when the rolling audit reads it at the latest
    gone_at      TEXT                       -- confirmed gone by single reads
) STRICT;
CREATE INDEX contacts_campaign ON contacts (campaign_id, seen_seq);
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
    campaign_id INTEGER,                    -- NULL: the whole account
    began_seq   INTEGER NOT NULL,
    began_at    TEXT NOT NULL,
    ended_at    TEXT,
    complete    INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    contacts    INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER NOT NULL DEFAULT 0
) STRICT;

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
    resolved      TEXT CHECK (resolved IN ('plain', 'offset', 'by_row', 'by_order', 'first', 'gap')),
    outbound      INTEGER,
    test          INTEGER,
    number        TEXT,                     -- PhoneNumber as received
    result_code   INTEGER,                  -- DiallerCampaignsResultCodesID
    result_type   INTEGER,                  -- DiallerResultCodesTypesID
    no_result_given INTEGER NOT NULL DEFAULT 0 CHECK (no_result_given IN (0, 1)),
    first_seen_at TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    run_id        INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_contact ON calls (contact_id, started_at);
CREATE INDEX calls_link ON calls (link_id, started_at);
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
    reason     TEXT NOT NULL CHECK (reason IN ('changed', 'ladder', 'waiting', 'ours', 'hint', 'sum', 'audit')),
    at         TEXT NOT NULL,
    rung       INTEGER NOT NULL DEFAULT 0,
    since      TEXT NOT NULL,
    PRIMARY KEY (contact_id, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX harvest_due_at ON harvest_due (at);
