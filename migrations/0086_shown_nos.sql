-- A no that the dialler's list shows before the contact's history can be read: it holds from then on, and the call that says the
-- same takes its place once it is read.
CREATE TABLE shown_nos (
    contact_id INTEGER NOT NULL,
    code       INTEGER NOT NULL,                          -- the result that was shown
    route      TEXT NOT NULL REFERENCES routes (route),   -- by whose list of words it is a no
    block_id   INTEGER,                                   -- the first of its blocks; NULL: no number is known
    at         TEXT NOT NULL,                             -- when it was shown
    history_id INTEGER,                                   -- the call that says the same; NULL: none was read yet
    PRIMARY KEY (contact_id, code, route)
) STRICT, WITHOUT ROWID;

-- Those that no call explains are for a person to look at.
CREATE INDEX shown_nos_open ON shown_nos (at) WHERE history_id IS NULL;

-- Codes that came to be known as a no after a list showed them: whoever waits for their history with one is looked at again.
CREATE TABLE shown_codes_due (
    campaign_id INTEGER NOT NULL,
    code        INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, code)
) STRICT, WITHOUT ROWID;
