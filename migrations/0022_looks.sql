-- How the looks over a copy of the ledger ended; status shows the newest.
CREATE TABLE looks (
    at     TEXT PRIMARY KEY,
    result TEXT NOT NULL CHECK (result IN ('sound', 'wrong', 'not_looked')),
    text   TEXT NOT NULL                 -- what is wrong, or why nobody looked
) STRICT, WITHOUT ROWID;
