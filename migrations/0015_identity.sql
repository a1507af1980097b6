-- Where the ledger lives, with whom it talks, and what differs from that.

CREATE TABLE identity (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    instance   TEXT NOT NULL,               -- the same in every copy
    generation INTEGER NOT NULL,            -- raised by each backup (in the copy) and by each takeover
    host       TEXT,                        -- keyed hash of the machine's id; NULL: it has none
    path       TEXT NOT NULL,               -- of this file, without links
    backup_at  TEXT,                        -- this file is a backup, made then
    since      TEXT NOT NULL                -- at home here since
) STRICT;

-- How many transactions changed something: tells an older copy of this file from the newest one.
CREATE TABLE commits (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO commits (id, number) VALUES (1, 0);

-- The addresses under which each side was found to be what it was.
CREATE TABLE side_addresses (
    side     TEXT NOT NULL,                 -- dialler | crm:ROUTE
    base_url TEXT NOT NULL,                 -- the dialler's ends in the ClientsID
    since    TEXT NOT NULL,
    until    TEXT,
    accepted_at TEXT,                       -- a person took it over, and its sample did not agree yet
    PRIMARY KEY (side, since)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX side_addresses_now ON side_addresses (side) WHERE until IS NULL;

-- What differs. While one stands, all routes are paused (identity): nothing but locks is sent.
CREATE TABLE differences (
    id       INTEGER PRIMARY KEY,
    subject  TEXT NOT NULL,                 -- ledger | dialler | crm:ROUTE
    code     TEXT NOT NULL,
    params   TEXT NOT NULL DEFAULT '{}',
    since    TEXT NOT NULL,
    ended_at TEXT,
    ended_by TEXT                           -- who took over; dialbridge: it was mended
) STRICT;
CREATE UNIQUE INDEX differences_standing ON differences (subject, code) WHERE ended_at IS NULL;

CREATE VIEW v_identity AS
SELECT i.instance, i.generation, i.path, i.since, i.backup_at AS backup_made,
       (SELECT count(*) FROM differences d WHERE d.ended_at IS NULL) AS differences
FROM identity i;

CREATE VIEW v_differences AS
SELECT subject, code AS difference, params AS details, since, ended_at AS ended, ended_by FROM differences;
