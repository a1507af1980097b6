-- What the CRM showed (records), what joins it to the dialler (links), and what may not be called (blocks).

CREATE TABLE links (
    id          INTEGER PRIMARY KEY,
    client      TEXT NOT NULL,
    route       TEXT,                       -- NULL: a contact without a record of ours, a lane for locks
    record_id   TEXT,
    user_data   TEXT,
    folded      TEXT,                       -- trimmed, lower case
    campaign_id INTEGER,
    contact_id  INTEGER,                    -- the present contact
    generation  INTEGER NOT NULL DEFAULT 0, -- raised by the transaction that decides
    desired     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(desired)), -- field -> {crm, send}
    base        TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(base)),    -- field -> {crm, dialler}
    complete    INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),  -- import and its update answered
    wish        TEXT NOT NULL CHECK (wish IN ('none', 'callable') OR wish = 'locked'),
    wish_code   TEXT NOT NULL,              -- why: a reason code with parameters
    wish_params TEXT NOT NULL DEFAULT '{}',
    lock_state  TEXT NOT NULL DEFAULT 'open' CHECK (lock_state IN ('open', 'locked')), -- by us; locked from the lock's first byte on
    locked_at   TEXT,                       -- when a lock was accepted
    met_at      TEXT,                       -- when the dialler was last asked for the UserData
    sent_seq    INTEGER NOT NULL DEFAULT 0, -- read order of the last write: sent ...
    answered_seq INTEGER NOT NULL DEFAULT 0,-- ... and answered
    vanished_at TEXT,
    overwritten INTEGER NOT NULL DEFAULT 0 CHECK (overwritten IN (0, 1)),
    created_at  TEXT NOT NULL,
    CHECK ((route IS NULL) = (record_id IS NULL)),
    CHECK (route IS NOT NULL OR contact_id IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX links_record  ON links (route, record_id) WHERE route IS NOT NULL;
-- A contact has one record; beside it there may be the lane it had before it was adopted.
CREATE UNIQUE INDEX links_contact ON links (contact_id) WHERE contact_id IS NOT NULL AND route IS NOT NULL;
CREATE UNIQUE INDEX links_foreign ON links (contact_id) WHERE route IS NULL;
CREATE INDEX links_folded ON links (folded) WHERE folded IS NOT NULL;

-- Every contact a link ever had: calls stay under the old one (semantics 22).
CREATE TABLE link_contacts (
    link_id    INTEGER NOT NULL REFERENCES links (id),
    contact_id INTEGER NOT NULL,
    since      TEXT NOT NULL,
    until      TEXT,
    how        TEXT NOT NULL CHECK (how IN ('imported', 'adopted') OR how IN ('relinked', 'by_hand')),
    PRIMARY KEY (contact_id, link_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_contacts_by_link ON link_contacts (link_id);

-- The numbers a record has by its mapping, in E.164: what the gate asks by.
CREATE TABLE link_numbers (
    number  TEXT NOT NULL,
    link_id INTEGER NOT NULL REFERENCES links (id),
    PRIMARY KEY (number, link_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_numbers_by_link ON link_numbers (link_id);

CREATE TABLE records (
    route      TEXT NOT NULL REFERENCES routes (route),
    record_id  TEXT NOT NULL,
    hash       BLOB NOT NULL,               -- of the used fields and the route's revision
    modified   TEXT,                        -- the CRM's modification time
    user_data  TEXT,
    folded     TEXT,
    state      TEXT NOT NULL CHECK (state IN ('linked', 'skipped') OR state IN ('blocked', 'parked')
                                              OR state = 'discarded'),
    code       TEXT,                        -- why, unless linked
    params     TEXT NOT NULL DEFAULT '{}',
    since      TEXT NOT NULL,               -- in this state since
    meet       TEXT NOT NULL DEFAULT 'done' CHECK (meet IN ('due', 'done')), -- ask the dialler for the key
    kept       TEXT,                        -- JSON: the values its dated conditions use
    link_id    INTEGER REFERENCES links (id),
    decided_at TEXT NOT NULL,               -- the CRM's answer it rests on
    run_id     INTEGER NOT NULL,            -- that saw it last with a change
    PRIMARY KEY (route, record_id)
) STRICT, WITHOUT ROWID;
-- Two keys that a server may take for one: the second record is parked with no key of its own.
CREATE UNIQUE INDEX records_folded ON records (folded) WHERE folded IS NOT NULL;
CREATE INDEX records_state ON records (state, route) WHERE state <> 'linked';
CREATE INDEX records_meet ON records (route) WHERE meet = 'due';

-- Records that cannot even be named.
CREATE TABLE unidentified (
    route      TEXT NOT NULL,
    digest     BLOB NOT NULL,
    code       TEXT NOT NULL,
    params     TEXT NOT NULL DEFAULT '{}',
    first_seen TEXT NOT NULL,
    last_seen  TEXT NOT NULL,
    times      INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (route, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
    id         INTEGER PRIMARY KEY,
    client     TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('record', 'number')),
    crm        TEXT,
    object     TEXT,
    record_id  TEXT,
    number     TEXT,                        -- E.164
    code       TEXT NOT NULL,
    params     TEXT NOT NULL DEFAULT '{}',
    source     TEXT NOT NULL,               -- crm:ROUTE | companion:ROUTE/NAME | operator | file:NAME
    since      TEXT NOT NULL,
    until      TEXT,
    who        TEXT,
    lifted_at  TEXT,
    lifted_by  TEXT,
    lifted_why TEXT,
    withdrawn_seen INTEGER NOT NULL DEFAULT 0, -- complete answers in which its source had withdrawn it
    CHECK ((kind = 'number') = (number IS NOT NULL)),
    CHECK ((kind = 'record') = (record_id IS NOT NULL AND crm IS NOT NULL AND object IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX blocks_number ON blocks (number, client, source) WHERE lifted_at IS NULL AND kind = 'number';
CREATE UNIQUE INDEX blocks_record ON blocks (record_id, crm, object, client, source)
    WHERE lifted_at IS NULL AND kind = 'record';

CREATE TABLE companions (
    route     TEXT NOT NULL,
    companion TEXT NOT NULL,
    read_at   TEXT,                         -- the last complete answer that was taken
    size      INTEGER NOT NULL DEFAULT 0,
    failed    INTEGER NOT NULL DEFAULT 0,   -- answers in a row that were not taken
    failure   TEXT,                         -- why the last one was not taken
    suspect   BLOB,                         -- digest of a shrunken answer, waiting to be read twice equal
    PRIMARY KEY (route, companion)
) STRICT, WITHOUT ROWID;

CREATE TABLE companion_members (
    route     TEXT NOT NULL,
    companion TEXT NOT NULL,
    record_id TEXT NOT NULL,
    PRIMARY KEY (route, companion, record_id)
) STRICT, WITHOUT ROWID;
