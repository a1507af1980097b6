-- Block lists that the config names: what was last read of each. A list whose text is as it was is not read again, also
-- after a start.
CREATE TABLE block_files (
    client        TEXT NOT NULL,
    path          TEXT NOT NULL,
    digest        BLOB,                        -- of the text that was taken last; NULL: none yet
    read_at       TEXT,
    numbers       INTEGER NOT NULL DEFAULT 0,  -- lines taken
    bad           INTEGER NOT NULL DEFAULT 0,  -- lines that name nobody
    bad_lines     TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(bad_lines)), -- the first of them by their number
    failing_since TEXT,
    error         TEXT,
    PRIMARY KEY (client, path),
    CHECK ((digest IS NULL) = (read_at IS NULL)),
    CHECK ((failing_since IS NULL) = (error IS NULL))
) STRICT, WITHOUT ROWID;
