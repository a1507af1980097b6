-- Results by which somebody said no: each call's becomes a block, once per result; only a person lifts it.

ALTER TABLE routes ADD COLUMN opt_out_results TEXT;       -- JSON list of the words last seen; NULL: none

-- Results that nobody has looked at yet: entered in the transaction that stores them, taken in the one that blocks.
CREATE TABLE results_due (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    code       INTEGER NOT NULL,                          -- as it was then: a correction does not take a no back
    PRIMARY KEY (history_id, code)
) STRICT, WITHOUT ROWID;

-- Those that were a no. A row outlives its block: what a person lifted does not come back by the same call.
CREATE TABLE opt_outs (
    history_id INTEGER NOT NULL REFERENCES calls (history_id),
    code       INTEGER NOT NULL,
    route      TEXT NOT NULL REFERENCES routes (route),   -- by whose list
    record_id  TEXT,                                      -- NULL: the contact was nobody's then
    block_id   INTEGER,                                   -- the first of its blocks; NULL: no number could be read
    at         TEXT NOT NULL,
    PRIMARY KEY (history_id, code, route)
) STRICT, WITHOUT ROWID;

-- For the day on which a list gets a new word, or a code its name.
CREATE INDEX calls_result ON calls (campaign_id, result_code) WHERE result_code IS NOT NULL;

-- Whose number is blocked is found by their links; without it every record is walked past.
CREATE INDEX records_link ON records (link_id) WHERE link_id IS NOT NULL;
