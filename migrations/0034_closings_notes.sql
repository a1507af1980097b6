-- A day of a campaign is closed once everybody called lately was read again after its end.

CREATE TABLE closings (
    campaign_id INTEGER NOT NULL,
    day         TEXT NOT NULL,                            -- in the dialler's zone
    began_at    TEXT NOT NULL,                            -- when the pass last began that is to close it
    closed_at   TEXT,
    contacts    INTEGER NOT NULL DEFAULT 0,               -- whose history was read again
    found       INTEGER NOT NULL DEFAULT 0,               -- calls that only this pass found
    short_contacts INTEGER NOT NULL DEFAULT 0,            -- for whom the dialler counts more tries than it has calls
    short_calls INTEGER NOT NULL DEFAULT 0,               -- and how many more
    PRIMARY KEY (campaign_id, day)
) STRICT, WITHOUT ROWID;

-- What an agent wrote beside a call: there is no note per call, so it is what changed in the contact's Comment. Kept only
-- where a route's templates ask for it.
ALTER TABLE contacts ADD COLUMN comment TEXT;             -- as last seen
ALTER TABLE contacts ADD COLUMN note TEXT;                -- what changed in it, until its call is known
ALTER TABLE contacts ADD COLUMN noted_at TEXT;
ALTER TABLE contacts ADD COLUMN next_try TEXT;            -- when the dialler means to call again
ALTER TABLE calls ADD COLUMN note TEXT;
