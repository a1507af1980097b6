-- Whoever gave a result that nobody mapped, or is to be left alone after one, is held out of other routes.

ALTER TABLE routes ADD COLUMN hold_rules TEXT;            -- JSON of what the config last said; NULL: nothing

-- A person let somebody go who was held out for this result of this call.
CREATE TABLE holds_released (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    code       INTEGER NOT NULL,                          -- as it was then: a corrected result is another one
    at         TEXT NOT NULL,
    who        TEXT NOT NULL,
    text       TEXT NOT NULL,
    PRIMARY KEY (history_id, code)
) STRICT, WITHOUT ROWID;

-- Who is held out for a call, and for whom the last day is over.
CREATE INDEX records_held ON records (json_extract(params, '$.call')) WHERE code IN ('held_out', 'cooling_off');
CREATE INDEX records_cooling ON records (json_extract(params, '$.until')) WHERE code = 'cooling_off';

-- Two more things that a person says of write-backs. A CHECK cannot be altered, so the table is made anew.
CREATE TABLE write_back_words_anew (
    id            INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    verb          TEXT NOT NULL CHECK (verb IN ('approve', 'retry', 'discard', 'remap', 'backfill')),
    route         TEXT NOT NULL,
    write_back_id INTEGER,
    who           TEXT NOT NULL,
    text          TEXT NOT NULL
) STRICT;
INSERT INTO write_back_words_anew (id, at, verb, route, write_back_id, who, text)
    SELECT id, at, verb, route, write_back_id, who, text FROM write_back_words;
DROP TABLE write_back_words;
ALTER TABLE write_back_words_anew RENAME TO write_back_words;
