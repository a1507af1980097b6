-- Waves of objections: which of them a person has seen (users 5). `status` tells of a wave until then.
CREATE TABLE block_wave_words (
    id     INTEGER PRIMARY KEY,
    at     TEXT NOT NULL, -- blocks of the source until then were seen
    source TEXT NOT NULL,
    who    TEXT NOT NULL,
    text   TEXT NOT NULL
) STRICT;
CREATE INDEX block_wave_words_by_source ON block_wave_words (source, at);
CREATE TRIGGER block_wave_words_stay BEFORE DELETE ON block_wave_words
BEGIN SELECT RAISE(ABORT, 'a word stays'); END;
CREATE TRIGGER block_wave_words_are_not_edited BEFORE UPDATE ON block_wave_words
BEGIN SELECT RAISE(ABORT, 'a word stays'); END;

-- What the CRM would be told because of a list in a file: it waits here, outside the row of what else is told, until the brake
-- lets it go, so that nothing else of the record waits with it.
CREATE TABLE listed_objections (
    link_id INTEGER PRIMARY KEY REFERENCES links (id),
    state   TEXT NOT NULL CHECK (state IN ('waits', 'let_go', 'left')), -- `left`: a person does not want it told
    at      TEXT NOT NULL
) STRICT;
CREATE INDEX listed_objections_state ON listed_objections (state, at);
