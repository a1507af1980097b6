-- Contacts that somebody deleted in the dialler while a change of theirs was shown and its calls were not read: a call may have
-- ended for good, and nobody will ever tell. They are not imported again by themselves.
CREATE TABLE calls_lost (
    link_id     INTEGER NOT NULL REFERENCES links (id),
    contact_id  INTEGER NOT NULL,
    at          TEXT NOT NULL,
    released_at TEXT,           -- a person says that it keeps nobody from being called again
    who         TEXT,
    text        TEXT,
    PRIMARY KEY (link_id, contact_id),
    CHECK ((released_at IS NULL) = (who IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_lost_contact ON calls_lost (contact_id);
