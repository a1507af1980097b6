-- What the hourly samples of a route's records came to: numbers, no personal data.
CREATE TABLE samples (
    route  TEXT NOT NULL,
    at     TEXT NOT NULL,
    looked INTEGER NOT NULL,                 -- records looked at on both sides
    drift  INTEGER NOT NULL,                 -- things that do not agree
    found  TEXT NOT NULL CHECK (json_valid(found)), -- by kind
    PRIMARY KEY (route, at)
) STRICT, WITHOUT ROWID;
