-- How the last reconcile of a route by the daemon ended: numbers, no personal data.
CREATE TABLE reconciles (
    route TEXT PRIMARY KEY,
    at    TEXT NOT NULL,
    drift INTEGER NOT NULL,                 -- things that do not agree
    found TEXT NOT NULL CHECK (json_valid(found)) -- by kind
) STRICT;
