-- A person said that the result of this call, as it was then, keeps nobody from being called again: also where the
-- contact that had it is gone, so that there is nothing to reset.
CREATE TABLE finals_released (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    code       INTEGER NOT NULL,                          -- as it was then: a corrected result is another one
    at         TEXT NOT NULL,
    who        TEXT NOT NULL,
    text       TEXT NOT NULL,
    PRIMARY KEY (history_id, code)
) STRICT, WITHOUT ROWID;

-- Who waits because of a call whose result is final.
CREATE INDEX records_final ON records (json_extract(params, '$.call')) WHERE code = 'final_result';
