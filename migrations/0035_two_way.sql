-- What the dialler's side changed in two-way fields, until both sides agree again.
CREATE TABLE edits (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: a person names a conflict by it
    link_id  INTEGER NOT NULL REFERENCES links (id),
    field    TEXT NOT NULL,
    dialler  TEXT NOT NULL CHECK (json_valid(dialler)), -- what was seen there
    rule     TEXT NOT NULL CHECK (rule IN ('crm', 'dialler', 'ask')),
    seen_at  TEXT NOT NULL,
    state    TEXT NOT NULL DEFAULT 'seen' CHECK (state IN ('seen', 'conflict', 'refused')),
    since    TEXT,                              -- since when it needs a person
    agreed   TEXT,                              -- of a conflict, JSON: what both sides last agreed on ...
    crm      TEXT,                              -- ... and what the CRM has
    code     TEXT,                              -- why the CRM does not take it
    params   TEXT NOT NULL DEFAULT '{}',
    take     TEXT CHECK (take IN ('crm', 'dialler')), -- a person's word,
    against  TEXT,                              -- said of this value of the CRM's
    CHECK ((state = 'seen') = (since IS NULL)),
    CHECK ((take IS NULL) = (against IS NULL)),
    CHECK ((state = 'refused') = (code IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX edits_field ON edits (link_id, field);
CREATE INDEX edits_open ON edits (state) WHERE state <> 'seen';

-- field -> when the CRM was last told of the dialler's value: what was read there before says nothing of it.
ALTER TABLE links ADD COLUMN crm_told TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(crm_told));

-- What a person said of conflicts, and why.
CREATE TABLE conflict_words (
    id      INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    link_id INTEGER NOT NULL REFERENCES links (id),
    field   TEXT NOT NULL,
    take    TEXT NOT NULL CHECK (take IN ('crm', 'dialler')),
    who     TEXT NOT NULL,
    text    TEXT NOT NULL
) STRICT;
CREATE INDEX conflict_words_link ON conflict_words (link_id);
