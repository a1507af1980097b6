-- Nights in which every wished lock was sent again: a lock cannot be read back, and others unlock.

CREATE TABLE lock_rounds (
    id          INTEGER PRIMARY KEY,
    began_at    TEXT NOT NULL,
    wished      INTEGER NOT NULL,              -- contacts to be out of reach when it began
    after_link  INTEGER NOT NULL DEFAULT 0,    -- how far it has come
    sent        INTEGER NOT NULL DEFAULT 0,    -- locks queued by it; whoever was locked since it began needs none
    finished_at TEXT
) STRICT;
CREATE INDEX links_locked ON links (id) WHERE wish = 'locked';
